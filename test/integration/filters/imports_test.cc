// Host functions that few modules import: WASI as a whole, those of ABI 0.1.0, what compilers of AssemblyScript import.
#include <gtest/gtest.h>

#include <cstdio>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

/// "checks=<n> failed=": at least so many were made, and none has failed.
::testing::AssertionResult all_passed(const std::string& text, int least) {
  int made = 0, end = 0;
  std::sscanf(text.c_str(), "checks=%d failed=%n", &made, &end);
  if (made >= least && static_cast<size_t>(end) == text.size())
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << text << ", of at least " << least;
}

TEST(WasmImports, EveryFunctionOfWasiAnswers) {
  TestProxy proxy(yaml_with(Plugin{.guest = "imports_wasi"}));
  Peer client = proxy.connect();
  EXPECT_TRUE(all_passed(ask(client).header("x-wasi"), 50));
  EXPECT_EQ(ask(client, "x-exit: 3\r\n").status(), 503);
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 1u);
}

TEST(WasmImports, AModuleOfTheFirstAbi) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(
      Plugin{.guest = "imports_early", .configuration = "early", .vm_configuration = "vm"},
      origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client);
  EXPECT_EQ(answer.body, "origin");
  EXPECT_TRUE(all_passed(answer.header("x-early"), 7));
}

TEST(WasmImports, AbortAndSeedOfAssemblyScript) {
  NEEDS_GUEST("as_abort");
  TestProxy proxy(
      yaml_with(Plugin{.guest = "as_abort", .configuration = "c", .plugin = "root_id: abort"}));
  Peer client = proxy.connect();
  const std::string first = ask(client).header("x-random");
  EXPECT_TRUE(first.starts_with("0.")) << first;
  EXPECT_NE(ask(client).header("x-random"), first);
  EXPECT_EQ(ask(client, "x-abort: 1\r\n").status(), 503);
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 1u);
}

}  // namespace
}  // namespace weir::test
