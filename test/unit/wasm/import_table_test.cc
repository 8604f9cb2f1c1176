#include "wasm/import_table.h"

#include <gtest/gtest.h>

#include "unit/wasm/fake_guest.h"

namespace weir::wasm {
namespace {

std::string error_of(const FakeModule& module) {
  auto linked = link_imports(module, {});
  return linked ? "" : linked.error().detail;
}

/// What the first import answers without a VM; where it is refused the log has been told.
Value answer_of(const FakeModule& module, const std::vector<std::string>& capabilities = {}) {
  auto linked = link_imports(module, capabilities);
  EXPECT_TRUE(linked) << linked.error().detail;
  ImportBinding binding;
  binding.told = true;
  return linked ? linked->front()(&binding, nullptr, 0) : ~Value{0};
}

TEST(ImportTable, OneFunctionPerSlotInOrder) {
  FakeModule module;
  module.import("env", "proxy_done", ">i")
      .import("env", "proxy_log", "iii>i")
      .import("env", "proxy_done", ">i")
      .import("wasi_snapshot_preview1", "fd_write", "iiii>i")
      .import("wasi_unstable", "fd_write", "iiii>i");
  auto linked = link_imports(module, {});
  ASSERT_TRUE(linked) << linked.error().detail;
  ASSERT_EQ(linked->size(), 5u);
  EXPECT_EQ((*linked)[0], (*linked)[2]);
  EXPECT_NE((*linked)[0], (*linked)[1]);
  EXPECT_EQ((*linked)[3], (*linked)[4]) << "WASI under both names";
}

TEST(ImportTable, RecordsOf2019HaveFunctionsOfTheirOwn) {
  for (const auto& [name, params] :
       {std::pair{"fd_filestat_get", "ii>i"}, std::pair{"poll_oneoff", "iiii>i"}}) {
    FakeModule module;
    module.import("wasi_snapshot_preview1", name, params).import("wasi_unstable", name, params);
    auto linked = link_imports(module, {});
    ASSERT_TRUE(linked) << linked.error().detail;
    EXPECT_NE((*linked)[0], (*linked)[1]) << name;
  }
}

TEST(ImportTable, FunctionsOfSeveralVersionsAreToldByTheirArity) {
  FakeModule module;
  module.import("env", "proxy_grpc_call", "iiiiiiiiiiii>i")
      .import("env", "proxy_grpc_call", "iiiiiiiiii>i");
  auto linked = link_imports(module, {});
  ASSERT_TRUE(linked);
  EXPECT_NE((*linked)[0], (*linked)[1]);
  EXPECT_NE(error_of(FakeModule().import("env", "proxy_grpc_call", "iiiiiiiiiii>i")), "");
}

TEST(ImportTable, ResultsDoNotMatterUnlessThereAreTwo) {
  EXPECT_EQ(error_of(FakeModule().import("env", "proxy_log", "iii")), "");
  EXPECT_EQ(error_of(FakeModule().import("env", "seed", ">F")), "");
  EXPECT_NE(error_of(FakeModule().import("env", "proxy_log", "iii>ii")), "");
  EXPECT_NE(error_of(FakeModule().import("wasi_unstable", "nothing", ">ii")), "");
}

TEST(ImportTable, WhatNobodyServesIsUnimplementedIfThatIsWanted) {
  const auto link = [](const FakeModule& module) {
    return link_imports(module, {}, UnknownImports::kUnimplemented);
  };
  auto linked = link(FakeModule()
                         .import("env", "proxy_no_such", "i>i")
                         .import("env", "proxy_log", "iI>i")
                         .import("vendor", "kv_get", "ii")
                         .import("env", "half", ">F")
                         .import("env", "proxy_done", ">i"));
  ASSERT_TRUE(linked) << linked.error().detail;
  for (const size_t slot : {0u, 1u, 2u}) EXPECT_EQ((*linked)[slot](nullptr, nullptr, 0), 12u);
  EXPECT_EQ((*linked)[3](nullptr, nullptr, 0), 0u);
  EXPECT_EQ((*linked)[4],
            link_imports(FakeModule().import("env", "proxy_done", ">i"), {})->front());
  EXPECT_FALSE(link(FakeModule().import("env", "pair", ">ii")));
  EXPECT_FALSE(link(FakeModule().import("env", "memory", "", ImportInfo::Kind::kMemory)));
}

TEST(ImportTable, EveryProblemIsNamed) {
  FakeModule module;
  module.import("env", "proxy_log", "iI>i")
      .import("env", "proxy_no_such", "")
      .import("other", "proxy_log", "iii>i")
      .import("env", "memory", "", ImportInfo::Kind::kMemory)
      .import("env", "proxy_done", ">i")
      .import("env", "fd_write", "iiii>i")
      .import("wasi_snapshot_preview1", "fd_write", "iiif>F");
  EXPECT_EQ(error_of(module),
            "imports that this host does not have: env.proxy_log (i32, i64) -> i32, "
            "env.proxy_no_such (unknown), other.proxy_log (unknown), env.memory (not a function), "
            "env.fd_write (unknown), wasi_snapshot_preview1.fd_write (i32, i32, i32, f32) -> f64");
}

TEST(ImportTable, UnknownWasiFunctionsAnswerThatTheyAreNotThere) {
  EXPECT_EQ(answer_of(FakeModule().import("wasi_snapshot_preview1", "no_such", "iIfF>i")),
            static_cast<Value>(Errno::kNosys));
  EXPECT_EQ(answer_of(FakeModule().import("wasi_unstable", "path_open", "iiiiiIIii>i")),
            static_cast<Value>(Errno::kNoent));
}

TEST(ImportTable, AnAllowListRefusesWhatItDoesNotName) {
  const std::vector<std::string> allowed = {"path_open", "proxy_log"};
  FakeModule log, call, wasi, other_wasi, abort;
  log.import("env", "proxy_log", "iii>i");
  call.import("env", "proxy_http_call", "iiiiiiiiii>i");
  wasi.import("wasi_unstable", "path_open", "iiiiiIIii>i");
  other_wasi.import("wasi_unstable", "path_rename", "iiiiii>i");
  abort.import("env", "abort", "iiii");
  EXPECT_EQ(*link_imports(log, allowed), *link_imports(log, {}));
  EXPECT_EQ(answer_of(call, allowed), static_cast<Value>(Status::kInternalFailure));
  EXPECT_EQ(answer_of(wasi, allowed), static_cast<Value>(Errno::kNoent));
  EXPECT_EQ(answer_of(other_wasi, allowed), static_cast<Value>(Errno::kNotcapable));
  EXPECT_EQ(*link_imports(abort, allowed), *link_imports(abort, {})) << "compilers' own are free";
  // A list does not make a wrong import right.
  FakeModule wrong;
  wrong.import("env", "proxy_http_call", "i>i");
  EXPECT_FALSE(link_imports(wrong, allowed));
}

TEST(ImportTable, AnAllowListMayNameWhatThereIs) {
  for (const char* name : {"proxy_log", "fd_write", "proxy_on_request_headers", "proxy_on_tick",
                           "proxy_validate_configuration"})
    EXPECT_TRUE(is_known_capability(name)) << name;
  for (const char* name : {"", "proxy_no_such", "malloc", "_initialize", "PROXY_LOG"})
    EXPECT_FALSE(is_known_capability(name)) << name;
}

}  // namespace
}  // namespace weir::wasm
