// One module for each set of imports and exports that toolchains and vendors have made: it compares what its imports answer
// with what the ABI says, and serves a request.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

struct Set {
  const char* name;     // of the guest, without "set_"
  const char* vm = "";  // fields of vm_config that it needs
};

class ImportSetTest : public ::testing::TestWithParam<Set> {};

/// '@' stands for no wrong answer, 'A' for the module's first check, and so on.
TEST_P(ImportSetTest, IsServed) {
  const std::string guest = std::string("set_") + GetParam().name;
  NEEDS_GUEST(guest);
  TestProxy proxy(yaml_with(Plugin{.guest = guest, .configuration = "c", .vm = GetParam().vm}));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-empty:\r\n");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.header("x-set"), "@") << answer.head;
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

constexpr const char* kUnknown = "allow_unknown_imports: true";
constexpr const char* kUnmarked = "allow_missing_abi_version: true";

INSTANTIATE_TEST_SUITE_P(
    Sets, ImportSetTest,
    ::testing::Values(Set{"emscripten_2019"}, Set{"emscripten_2020_protobuf"},
                      Set{"emscripten_2021"}, Set{"emscripten_now"}, Set{"wasi_sdk"},
                      Set{"tinygo_0_18"}, Set{"tinygo_0_20"}, Set{"tinygo_os"}, Set{"go_1_24"},
                      Set{"go_1_24_net"}, Set{"rust_wasip1"}, Set{"rust_unknown_unknown"},
                      Set{"rust_main"}, Set{"as_start_section"}, Set{"as_export_start"}, Set{"zig"},
                      Set{"mosn_go"}, Set{"mosn_marker"}, Set{"without_marker", kUnmarked},
                      Set{"mosn_c"}, Set{"higress_go"}, Set{"first_abi"}, Set{"first_abi_void"},
                      Set{"old_names"}, Set{"cpp_sdk_exports"}, Set{"wasm_features"},
                      Set{"envoy_dns", kUnknown}, Set{"fastedge", kUnknown}),
    [](const auto& info) { return std::string(info.param.name); });

/// Without the field that allows them, the message has the names of all that is missing.
TEST(WasmImportSets, WhatIsRefusedIsNamed) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const auto& [guest, why] :
       {std::pair{"set_envoy_dns", "env.envoy_resolve_dns (unknown)"},
        std::pair{"set_fastedge", "env.proxy_dictionary_get (unknown), env.proxy_get_secret "},
        std::pair{"set_without_marker", "exports no proxy_abi_version_0_1_0"}}) {
    NEEDS_GUEST(guest);
    yaml.filters = filter(Plugin{.guest = guest});
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejections);
    const std::string page = proxy.admin("/reload");
    EXPECT_NE(page.find(why), std::string::npos) << guest << "\n" << page;
  }
}

}  // namespace
}  // namespace weir::test
