// Tests whose modules or programs are missing here are skipped: a toolchain was not there, or a package is not.
#pragma once

#include <filesystem>
#include <string>
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {

/// A filter of filters/, where it has been built.
inline std::string filter_path(const std::string& name) {
  return std::string(WEIR_BINARY_DIR) + "/filters/" + name + ".wasm";
}

}  // namespace weir::test

#define NEEDS_MODULE(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "not built here: " << (path)
#define NEEDS_GUEST(name) NEEDS_MODULE(::weir::test::guest_path(name))
#define NEEDS_FILTER(name) NEEDS_MODULE(::weir::test::filter_path(name))
/// With support/redis_server.h.
#define NEEDS_REDIS()                          \
  if (!::weir::test::RedisServer::available()) \
  GTEST_SKIP() << "no redis-server here (Debian: redis-server)"
