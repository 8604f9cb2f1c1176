// Options: what the command line says; Envoy's names where it has the thing.
#pragma once

#include <chrono>
#include <string>

#include "base/log.h"

namespace weir::server {

struct Options {
  std::string config_path;
  std::string config_yaml;  // --config-yaml: laid over the file, or instead of one
  enum class Mode : uint8_t { kServe, kValidate } mode = Mode::kServe;
  unsigned concurrency = 0;  // 0 = number of cores
  base::Level log_level = base::Level::kInfo;
  base::ComponentLevels component_levels;  // over log_level
  std::string log_path;
  std::string admin_address_path;  // the bound admin address is written here
  std::chrono::seconds drain_time{20};
  std::string wasm_cache;       // folder of fetched modules; empty: none
  std::string service_cluster;  // wins over node.cluster
  std::string service_node;     // wins over node.id
};

inline constexpr const char* kVersion = "0.1.0";

}  // namespace weir::server
