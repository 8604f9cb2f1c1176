// StreamInfo: what is known of one request/response exchange, for filters, access logs and properties.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <weir/connection_info.h>
#include <weir/message.h>

namespace weir {

class Metadata;

/// Envoy's response flags; the bit is also the value of the `response.flags` property.
enum class ResponseFlag : uint8_t {
  kFailedLocalHealthCheck,            // LH
  kNoHealthyUpstream,                 // UH
  kUpstreamRequestTimeout,            // UT
  kLocalReset,                        // LR
  kUpstreamRemoteReset,               // UR
  kUpstreamConnectionFailure,         // UF
  kUpstreamConnectionTermination,     // UC
  kUpstreamOverflow,                  // UO
  kNoRouteFound,                      // NR
  kDelayInjected,                     // DI
  kFaultInjected,                     // FI
  kRateLimited,                       // RL
  kUnauthorizedExternalService,       // UAEX
  kRateLimitServiceError,             // RLSE
  kDownstreamConnectionTermination,   // DC
  kUpstreamRetryLimitExceeded,        // URX
  kStreamIdleTimeout,                 // SI
  kInvalidEnvoyRequestHeaders,        // IH
  kDownstreamProtocolError,           // DPE
  kUpstreamMaxStreamDurationReached,  // UMSDR
  kResponseFromCacheFilter,           // RFCF
  kNoFilterConfigFound,               // NFCF
  kDurationTimeout,                   // DT
  kUpstreamProtocolError,             // UPE
  kNoClusterFound,                    // NC
  kOverloadManager,                   // OM
  kDnsResolutionFailed,               // DF
  kDropOverload,                      // DO
  kDownstreamRemoteReset,             // DR
  kUnconditionalDropOverload,         // UDO
  kCount_
};

using MonotonicTime = std::chrono::steady_clock::time_point;
using SystemTime = std::chrono::system_clock::time_point;

/// Whether a request is one for a tunnel: an upgrade (with an "upgrade" field) or a CONNECT.
enum class Tunnel : uint8_t {
  kNone,
  kAsked,  // the request does not end with its head, but nothing of it comes before the answer
  kOpen,  // granted (101, 2xx to CONNECT): the bodies are the bytes of the two directions, each with its own end
};

/// Facts of one stream. Owner: the stream. Filters read it; only the driver, the router and the session
/// write the fields, filters may write filter_state, details and flags.
/// Views and `const std::string*` fields point into the snapshot or the session, which outlive the stream.
struct StreamInfo {
  uint64_t connection_id = 0;
  uint64_t stream_id = 0;  // unique in the process
  Protocol protocol = Protocol::kHttp11;
  SystemTime start_time{};
  MonotonicTime start{};
  MonotonicTime request_end{};        // last byte of the request read; zero if not yet
  MonotonicTime upstream_begin{};     // the router asked for a connection; zero if not yet
  MonotonicTime upstream_first_tx{};  // first byte written to the upstream
  MonotonicTime upstream_first_rx{};  // first byte of the response read
  MonotonicTime upstream_last_rx{};
  MonotonicTime first_tx{};            // first byte of the response written downstream
  MonotonicTime end{};                 // stream finished
  uint64_t bytes_received = 0;         // request body
  uint64_t bytes_sent = 0;             // response body
  uint64_t request_headers_bytes = 0;  // as received
  uint64_t response_headers_bytes = 0;

  const ConnectionInfo* connection =
      nullptr;  // the client's; null in tests and for streams of weir's own
  std::string_view downstream_remote_address;         // "ip:port" of the trusted client (after XFF)
  std::string_view downstream_direct_remote_address;  // "ip:port" of the peer
  std::string_view downstream_local_address;
  std::string_view upstream_host;  // "ip:port" of the chosen endpoint; empty before
  std::string upstream_local_address;
  std::string_view upstream_cluster;  // name; empty before a route is matched
  std::string_view route_name;
  std::string_view virtual_host_name;
  const Metadata* route_metadata = nullptr;  // null: the configuration has none
  const Metadata* virtual_host_metadata = nullptr;
  std::string_view listener_name;
  std::string_view filter_chain_name;
  std::string_view upstream_protocol;
  std::string upstream_transport_failure_reason;
  std::shared_ptr<const TlsInfo>
      upstream_tls;  // of the connection to upstream_host; null without TLS
  uint32_t upstream_attempt_count = 0;

  int response_code = 0;                          // 0 until a response head exists
  std::string_view response_code_details_static;  // "via_upstream" and other constant texts
  std::string response_code_details_text;         // wins over the static one when not empty
  std::string connection_termination_details;
  std::string local_reply_body;
  uint32_t flags = 0;
  bool health_check = false;  // set by the health_check filter
  Tunnel tunnel = Tunnel::kNone;

  void set_flag(ResponseFlag flag) noexcept { flags |= 1u << static_cast<unsigned>(flag); }
  bool has_flag(ResponseFlag flag) const noexcept {
    return (flags & (1u << static_cast<unsigned>(flag))) != 0;
  }
  std::string_view response_code_details() const noexcept {
    return response_code_details_text.empty() ? response_code_details_static
                                              : std::string_view(response_code_details_text);
  }

  /// Filter state: what filters and Wasm plugins (key "wasm.<path>") leave for others of the same stream.
  const std::string* filter_state(std::string_view key) const {
    if (!filter_state_) return nullptr;
    auto found = filter_state_->find(key);
    return found == filter_state_->end() ? nullptr : &found->second;
  }
  void set_filter_state(std::string_view key, std::string_view value) {
    if (!filter_state_)
      filter_state_ = std::make_unique<std::map<std::string, std::string, std::less<>>>();
    (*filter_state_)[std::string(key)] = std::string(value);
  }
  const std::map<std::string, std::string, std::less<>>* all_filter_state() const noexcept {
    return filter_state_.get();
  }

 private:
  std::unique_ptr<std::map<std::string, std::string, std::less<>>> filter_state_;
};

/// What is known of a connection from its beginning on. Borrows from `connection`.
void describe_connection(StreamInfo& info, const ConnectionInfo& connection, MonotonicTime start);

/// "UH", "UF" … ; "-" is what a log writes for no flag.
std::string_view response_flag_name(ResponseFlag flag) noexcept;
/// "NoHealthyUpstream", "UpstreamConnectionFailure" … ; "-" for what is no flag.
std::string_view response_flag_long_name(ResponseFlag flag) noexcept;
/// All set flags joined by ","; empty if none.
std::string response_flags_text(uint32_t flags);

}  // namespace weir
