// GrpcTarget: where a guest's gRPC call goes, from the bytes that the ABI calls "upstream".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::wasm {

struct GrpcTarget {
  std::string cluster;
  std::string authority;                 // empty: the cluster's name
  std::chrono::milliseconds timeout{0};  // 0: none
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Reads a serialised envoy.config.core.v3.GrpcService: envoy_grpc's cluster_name and authority, or google_grpc's target_uri
/// without its scheme, which has to be the name of a cluster; timeout and initial_metadata. Other fields have no effect. Nothing
/// if the bytes are no such message, or name no cluster.
std::optional<GrpcTarget> parse_grpc_service(std::string_view bytes);

}  // namespace weir::wasm
