// Callouts: HTTP requests that a filter sends on its own account, whole or as streams.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/buffer.h>
#include <weir/message.h>
#include <weir/result.h>

namespace weir {

/// The answer of a callout, whole.
struct CalloutResponse {
  ResponseHead head;
  Buffer body;
  HeaderMap trailers;
  bool own = false;  // weir has made it: of a timeout (504), of a failed connection (503)
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

/// A request that is sent whole; method, path and authority are its sender's to set. A body without trailers gets a
/// content-length, if `head` has none. The limits of the cluster hold too: its circuit breakers, its max_stream_duration.
struct CalloutRequest {
  std::string_view cluster;  // its name; looked at in start() alone
  RequestHead head;
  Buffer body;
  HeaderMap trailers;                    // sent where there are any
  std::chrono::milliseconds timeout{0};  // until the answer is whole; 0 = none
  size_t max_response_bytes =
      1024 * 1024;  // of the body; a larger one is the error kPayloadTooLarge
};

class RedisCommands;  // <weir/redis.h>

/// A callout that is sent and answered piece by piece; destroying it resets the request, and its handler is not
/// called any more. After the end of the request, of the answer, or a failure, what is given is forgotten.
class StreamedCallout {
 public:
  virtual ~StreamedCallout() = default;
  /// Empties `data`. What the upstream does not take yet waits here.
  virtual void send(Buffer& data, EndStream end) = 0;
  /// Bytes that wait: who sends faster than the upstream reads has to look at it.
  virtual size_t unsent() const noexcept = 0;
};

/// Called from the event loop alone, never inside start_stream() or send(). Order: head, data*, trailers?; kYes or the trailers are
/// last. Or on_callout_failed at any point, last. The callout may be destroyed inside any call, the handler may not.
/// Nothing of the answer is kept: a handler that takes its time is the upstream's back-pressure.
class StreamedCalloutHandler {
 public:
  virtual ~StreamedCalloutHandler() = default;
  virtual void on_callout_head(ResponseHead& head, EndStream end) noexcept = 0;
  virtual void on_callout_data(Buffer& data, EndStream end) noexcept = 0;
  virtual void on_callout_trailers(HeaderMap& trailers) noexcept = 0;
  /// kTimeout, kConnectFailed, kConnectTimeout, kClosed (the connection), kReset (the stream), kProtocol, kBadVersion.
  virtual void on_callout_failed(const Error& error) noexcept = 0;
};

/// What a streamed callout begins with: its head, whose method, path and authority are its sender's to set. The body follows with
/// send(), however large; there are no trailers.
struct StreamedCalloutRequest {
  std::string_view cluster;  // its name; looked at in start_stream() alone
  RequestHead head;
  EndStream end = EndStream::kNo;        // kYes: there is no body
  std::chrono::milliseconds timeout{0};  // until the end of the answer; 0 = none
  bool http2 = false;                    // other versions will not do: kBadVersion
};

/// How many hosts a cluster has, and how many of them may be sent to.
struct ClusterHosts {
  size_t total = 0;
  size_t healthy = 0;
};

class Metadata;

/// What the configuration says of a cluster and of one of its hosts.
struct ClusterFacts {
  std::shared_ptr<const Metadata> metadata;  // null: none
  size_t hosts = 0;
  struct Host {
    std::shared_ptr<const Metadata> metadata, locality_metadata;
    std::string region, zone, sub_zone;
  };
  std::optional<Host> host;  // none: the cluster does not have it
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
  /// Where the hosts of a cluster are ("ip:port"), as its load balancer sees them now.
  virtual std::vector<std::string> host_addresses(std::string_view cluster) const {
    return static_cast<void>(cluster), std::vector<std::string>();
  }
  /// Nothing of an unknown cluster. `host` is an address ("ip:port").
  virtual std::optional<ClusterFacts> cluster_facts(std::string_view cluster,
                                                    std::string_view host) const {
    return static_cast<void>(cluster), static_cast<void>(host), std::nullopt;
  }
  virtual Result<std::unique_ptr<Callout>> start(CalloutRequest request,
                                                 CalloutHandler& handler) = 0;
  /// A request may also be refused with kBadVersion: `http2` is wanted of a cluster that is known not to speak it.
  virtual Result<std::unique_ptr<StreamedCallout>> start_stream(StreamedCalloutRequest request,
                                                                StreamedCalloutHandler& handler) {
    static_cast<void>(handler);
    return fail(Code::kNoCluster, Side::kLocal, request.cluster);
  }
  /// The way to Redis servers; null: there is none.
  virtual RedisCommands* redis() noexcept { return nullptr; }
};

}  // namespace weir
