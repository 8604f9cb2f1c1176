// ChainRuntime: what the sessions of one filter chain run by, in one generation; RuntimeRef counts its users on one worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <weir/result.h>

#include "net/tls/stats.h"
#include "proxy/hcm_stats.h"
#include "proxy/listener_options.h"
#include "proxy/log_lines.h"
#include "stats/store.h"

namespace weir::proxy {

/// What a connection keeps from its accept to its end. It refers to nothing else of its generation, so that an idle
/// connection does not keep old plugins alive.
struct ConnectionScope {
  ConnectionScope(const HcmOptions& hcm, std::shared_ptr<const DownstreamStats> metrics)
      : stats(std::move(metrics)),
        default_host(hcm.default_host_for_http_10),
        codec(hcm.codec),
        codec_type(hcm.codec_type),
        http2(hcm.http2),
        idle_timeout(hcm.idle_timeout),
        max_duration(hcm.max_connection_duration),
        drain_timeout(hcm.drain_timeout),
        max_requests(hcm.max_requests_per_connection),
        delayed_close(hcm.delayed_close_timeout) {
    codec.default_host_for_http_10 = default_host;
  }
  ConnectionScope(const ConnectionScope&) = delete;
  ConnectionScope& operator=(const ConnectionScope&) = delete;

  std::shared_ptr<const DownstreamStats> stats;
  std::string default_host;
  http::CodecOptions codec;
  HttpCodec codec_type;
  http::h2::Options http2;
  Milliseconds idle_timeout;
  Milliseconds max_duration;
  Milliseconds drain_timeout;
  uint32_t max_requests;
  Milliseconds delayed_close;
};

/// What stands for the listener in the names of its metrics.
std::string stat_prefix_of(const ListenerOptions& listener, const net::Address& bound);

/// One filter chain with stats resolved and log files opened. Made on main, one per chain and generation (or carried over
/// when nothing of the listener changed); immutable, shared by all workers.
class ChainRuntime {
 public:
  /// `bound` is the address the listener really has (port 0 resolved). Error: an access log that cannot be opened.
  static Result<std::shared_ptr<const ChainRuntime>> make(
      std::shared_ptr<const ListenerOptions> listener,
      std::shared_ptr<const FilterChainOptions> chain, const net::Address& bound,
      uint64_t generation, stats::Store& store, AccessLogWriter& logs);

  const ListenerOptions& listener() const noexcept { return *listener_; }
  const FilterChainOptions& chain() const noexcept { return *chain_; }
  const std::shared_ptr<const FilterChainOptions>& shared_chain() const noexcept { return chain_; }
  uint64_t generation() const noexcept { return generation_; }
  bool is_http() const noexcept { return chain_->hcm != nullptr; }
  /// Null without TLS.
  const std::shared_ptr<const net::tls::Stats>& tls_stats() const noexcept { return tls_stats_; }

  // Require is_http().
  const HcmOptions& hcm() const noexcept { return *chain_->hcm; }
  const HcmStats& stats() const noexcept { return scope_->stats->http; }
  const ListenerHttpStats& listener_stats() const noexcept { return scope_->stats->listener; }
  const std::shared_ptr<const ConnectionScope>& connection_scope() const noexcept { return scope_; }
  const http::HostOptions& host_options() const noexcept {
    return host_;
  }  // with the listener's port

  const std::vector<OpenLog>& logs() const noexcept { return logs_; }

 private:
  ChainRuntime(std::shared_ptr<const ListenerOptions> listener,
               std::shared_ptr<const FilterChainOptions> chain, uint64_t generation)
      : listener_(std::move(listener)), chain_(std::move(chain)), generation_(generation) {}

  std::shared_ptr<const ListenerOptions> listener_;
  std::shared_ptr<const FilterChainOptions> chain_;
  uint64_t generation_;
  std::shared_ptr<const ConnectionScope> scope_;
  http::HostOptions host_;
  std::shared_ptr<const net::tls::Stats> tls_stats_;
  std::vector<OpenLog> logs_;
};

/// A counted reference on a runtime for one worker; the count is not atomic. The last reference lets go of the snapshot on
/// the worker's thread. make() once per adoption, copy per stream.
class RuntimeRef {
 public:
  RuntimeRef() noexcept = default;
  /// `snapshot` is kept alive too (the whole generation: routes, plugins, clusters).
  static RuntimeRef make(std::shared_ptr<const ChainRuntime> runtime,
                         std::shared_ptr<const void> snapshot) {
    RuntimeRef ref;
    ref.pin_ = new Pin{std::move(runtime), std::move(snapshot), 1};
    return ref;
  }
  RuntimeRef(const RuntimeRef& other) noexcept : pin_(other.pin_) {
    if (pin_ != nullptr) ++pin_->users;
  }
  RuntimeRef(RuntimeRef&& other) noexcept : pin_(std::exchange(other.pin_, nullptr)) {}
  RuntimeRef& operator=(RuntimeRef other) noexcept {
    std::swap(pin_, other.pin_);
    return *this;
  }
  ~RuntimeRef() {
    if (pin_ != nullptr && --pin_->users == 0) std::unique_ptr<Pin>(pin_).reset();
  }

  explicit operator bool() const noexcept { return pin_ != nullptr; }
  const ChainRuntime& operator*() const noexcept { return *pin_->runtime; }
  const ChainRuntime* operator->() const noexcept { return pin_->runtime.get(); }
  const ChainRuntime* get() const noexcept {
    return pin_ == nullptr ? nullptr : pin_->runtime.get();
  }
  uint32_t users() const noexcept { return pin_ == nullptr ? 0 : pin_->users; }

 private:
  struct Pin {
    std::shared_ptr<const ChainRuntime> runtime;
    std::shared_ptr<const void> snapshot;
    uint32_t users;
  };
  Pin* pin_ = nullptr;
};

}  // namespace weir::proxy
