// Host functions that few modules import: WASI as a whole, those of ABI 0.1.0, what compilers of AssemblyScript import.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

TEST(WasmImports, EveryFunctionOfWasiAnswers) {
  TestProxy proxy(yaml_with(Plugin{.guest = "imports_wasi"}));
  Peer client = proxy.connect();
  const std::string text = ask(client).header("x-wasi");
  EXPECT_TRUE(text.starts_with("checks=") && text.ends_with("failed=")) << text;
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
  const std::string text = answer.header("x-early");
  EXPECT_TRUE(text.starts_with("checks=") && text.ends_with("failed=")) << text;
}

TEST(WasmImports, AbortAndSeedOfAssemblyScript) {
  NEEDS_MODULE(guest_path("as_abort"));
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
