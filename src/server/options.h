// Options: what the command line says; Envoy's names where it has the thing.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace weir::server {

struct Options {
  std::string config_path;
  std::string config_yaml;  // --config-yaml: laid over the file, or instead of one
  enum class Mode : uint8_t { kServe, kValidate } mode = Mode::kServe;
  unsigned concurrency = 0;  // 0 = number of cores
  std::string log_level = "info";
  std::string component_log_level;  // "http:debug,wasm:trace"
  std::string log_path;
  std::string admin_address_path;  // the bound admin address is written here
  std::chrono::seconds drain_time{20};
  std::string service_cluster;         // wins over node.cluster
  std::string service_node;            // wins over node.id
  std::vector<std::string> arguments;  // as given, for /server_info
};

inline constexpr const char* kVersion = "0.1.0";

}  // namespace weir::server
