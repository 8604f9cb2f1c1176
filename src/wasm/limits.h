// Limits: what one VM may use, as `vm_config.limits` (weir's own message) says.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace weir::wasm {

/// Of all shared queues of one vm_id.
struct QueueLimits {
  uint64_t max_bytes = 16ull * 1024 * 1024;
  uint32_t max_queues = 1024;
};

/// Of the shared data of one vm_id.
struct SharedDataLimits {
  uint64_t max_bytes = 16ull * 1024 * 1024;  // keys and values
  uint64_t max_keys = 0;                     // 0 = as many as the bytes suggest
  std::chrono::milliseconds ttl{0};          // since the last write; 0 = for ever
};

inline constexpr size_t kMaxHeaderMapBytes = 256 * 1024;  // unless the configuration says another

struct Limits {
  std::chrono::nanoseconds call_timeout{
      std::chrono::milliseconds(100)};  // CPU time of one guest call; 0 = none
  std::chrono::nanoseconds start_timeout{
      std::chrono::seconds(5)};  // each guest call while the VM starts; 0 = none
  uint64_t max_memory_bytes = 128ull * 1024 * 1024;
  uint32_t max_log_lines_per_second = 1000;
  uint32_t max_callouts = 64;                            // in flight, per VM
  uint32_t max_callouts_per_second = 0;                  // started, per VM; 0 = none
  uint64_t max_shared_data_bytes = 16ull * 1024 * 1024;  // keys and values of one vm_id
  uint64_t max_shared_data_keys = 0;                     // likewise; 0 = as the bytes suggest
  std::chrono::milliseconds shared_data_ttl{0};          // likewise; since the last write; 0 = none
  uint32_t max_metrics = 1000;                           // of one plugin, in the process
  uint64_t max_queue_bytes = 16ull * 1024 * 1024;        // in the shared queues of one vm_id
  uint32_t max_queues = 1024;                            // of one vm_id
  uint64_t max_header_map_bytes = kMaxHeaderMapBytes;    // of a map after a guest's change
  uint64_t max_body_bytes =
      0;                     // held for a stream because the guest pauses; 0 = as the listener says
  uint32_t max_streams = 0;  // in the VM at once; 0 = none
  uint32_t max_cpu_percent = 0;  // of the worker, over a second; 0 = none
  QueueLimits of_queues() const noexcept { return {max_queue_bytes, max_queues}; }
  SharedDataLimits of_shared_data() const noexcept {
    return {max_shared_data_bytes, max_shared_data_keys, shared_data_ttl};
  }
  bool operator==(const Limits&) const = default;
};

/// Which limit a guest has reached; each is the stat "wasm.<plugin>.limit.<name>".
enum class LimitKind : uint8_t {
  kLogLines,
  kCallouts,
  kSharedData,
  kMetrics,
  kMemory,
  kHeaders,
  kQueue,
  kCalloutRate,
  kClusters,  // callouts to a cluster that `allowed_clusters` lacks
  kBody,
  kStreams,
  kCpu,
  kPrivacy,     // changes of what is hidden
  kGrpcBuffer,  // gRPC messages that are too large, or more than the service reads
  kCount_
};
constexpr std::string_view limit_name(LimitKind kind) noexcept {
  constexpr std::string_view kNames[] = {
      "log_lines",    "callouts", "shared_data", "metrics", "memory", "headers", "queue",
      "callout_rate", "clusters", "body",        "streams", "cpu",    "privacy", "grpc_buffer"};
  return kNames[static_cast<unsigned>(kind)];
}

// Bounds that nobody needs to change.
inline constexpr size_t kMaxPairsBytes = 1024 * 1024;
inline constexpr size_t kMaxPairs = 1024;
inline constexpr size_t kMaxHeaderMapCount = 1000;
inline constexpr size_t kMaxLogLineBytes = 16 * 1024;
inline constexpr size_t kMaxPathBytes = 4096;  // of properties
inline constexpr size_t kMaxMetricNameBytes = 256;
inline constexpr size_t kMaxBodyWriteBytes = 16 * 1024 * 1024;
inline constexpr std::chrono::milliseconds kMinTick{10};

}  // namespace weir::wasm
