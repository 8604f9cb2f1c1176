// Callouts: HTTP requests that a filter sends on its own account.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <weir/buffer.h>
#include <weir/message.h>
#include <weir/result.h>

namespace weir {

/// The answer of a callout, whole.
struct CalloutResponse {
  ResponseHead head;
  Buffer body;
  HeaderMap trailers;
};

/// A callout in flight; destroying it cancels the request and no completion follows.
class Callout {
 public:
  virtual ~Callout() = default;
};

/// Called exactly once per callout that was started and not destroyed, always from the event loop and
/// never inside start().
class CalloutHandler {
 public:
  virtual ~CalloutHandler() = default;
  virtual void on_callout_done(Result<CalloutResponse> response) noexcept = 0;
};

struct CalloutRequest {
  std::string_view cluster;
  RequestHead head;
  Buffer body;
  HeaderMap trailers;
  std::chrono::milliseconds timeout{0};  // 0 = none
  size_t max_response_bytes = 1024 * 1024;
};

/// How many hosts a cluster has, and how many of them may be sent to.
struct ClusterHosts {
  size_t total = 0;
  size_t healthy = 0;
};

/// Starts callouts on the calling worker. Errors: kNoCluster (unknown cluster), kOverflow, kNoHealthyHost.
/// A timeout is delivered as a response with status 504, a failed connect as 503, as Envoy's client does;
/// a reset or an oversized answer as an Error.
class Callouts {
 public:
  virtual ~Callouts() = default;
  virtual bool knows_cluster(std::string_view cluster) const = 0;
  /// Nothing of an unknown cluster.
  virtual std::optional<ClusterHosts> cluster_hosts(std::string_view cluster) const {
    return static_cast<void>(cluster), std::nullopt;
  }
  virtual Result<std::unique_ptr<Callout>> start(CalloutRequest request,
                                                 CalloutHandler& handler) = 0;
};

}  // namespace weir
