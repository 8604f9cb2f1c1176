// RouterFilter: one stream's router.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "event/loop.h"
#include "router/carrier.h"
#include "router/filter_host.h"
#include "router/rewrite.h"
#include "router/route.h"
#include "router/timeouts.h"
#include "router/wanted_host.h"
#include "stream/terminal.h"
#include "upstream/cluster.h"
#include "upstream/exchange.h"

namespace weir::router {

/// "http.<stat_prefix>.*", made with the factory.
struct RouterStats {
  explicit RouterStats(StatsScope& scope);
  Counter &rq_total, &no_route, &no_cluster, &rq_redirect, &rq_direct_response,
      &rq_reset_after_downstream_response_started;
};

struct RouterOptions {
  bool dynamic_stats = true;
  EnvoyHeaders envoy_headers = EnvoyHeaders::kAdd;
  ExpectedTimeout expected_timeout = ExpectedTimeout::kIgnore;
};

/// What all routers of one configured place share. Owner: the factory.
struct RouterSettings {
  RouterOptions options;
  upstream::HttpFilters upstream_filters;  // for clusters without filters of their own
  mutable RouterStats stats;
};

/// Owner: the stream's chain. Thread: the stream's. Sends the request by an upstream::Exchange as it comes, feeds the
/// response into the chain, answers itself where there is no response. on_stream_end cancels whatever is under way.
/// Freed memory is kept for the next stream of the thread.
class RouterFilter final : public stream::TerminalFilter, private upstream::ExchangeSink {
 public:
  RouterFilter(const RouterSettings& settings, upstream::WorkerClusters& clusters);
  ~RouterFilter() override;
  static void* operator new(size_t size);
  static void operator delete(void* memory) noexcept;

  void attach_terminal(stream::TerminalCallbacks& callbacks) override { terminal_ = &callbacks; }
  void on_response_blocked() override {
    carrier_ != nullptr ? carrier_->hold_response() : exchange_.hold_response();
  }
  void on_response_resumed() override {
    carrier_ != nullptr ? carrier_->release_response() : exchange_.release_response();
  }
  void on_local_reply() override { abandon(); }

  Flow on_request_head(RequestHead& head, EndStream end) override;
  Flow on_request_body(Buffer& data, EndStream end) override;
  Flow on_request_trailers(HeaderMap& trailers) override;
  void on_stream_end(const StreamInfo& info) noexcept override;

 private:
  ResponseHead& exchange_head() noexcept override { return terminal_->response_head_storage(); }
  HeaderMap& exchange_trailers() noexcept override {
    return terminal_->response_trailers_storage();
  }
  void on_exchange_connected(upstream::UpstreamStream& stream) override;
  void on_exchange_informational() override;
  void on_exchange_head(size_t wire_bytes, EndStream end) override;
  void on_exchange_body(Buffer& data, EndStream end) override;
  void on_exchange_trailers() override;
  void on_exchange_failed(const upstream::Failure& failure) override;
  void on_exchange_blocked() override { terminal_->hold_request(); }
  void on_exchange_resumed() override { terminal_->release_request(); }

  Flow forward(const Route& route, RequestHead& head, EndStream end);
  static bool refuses_tunnel(const Route& route, const RequestHead& head);
  upstream::Cluster* choose_cluster(const Route& route, const RequestHead& head);
  bool start_tcp(upstream::Cluster& cluster, const ConnectOptions& options, EndStream end);
  void start_filtered(upstream::Cluster& cluster, upstream::Priority priority, EndStream end);
  bool active() const noexcept {
    return carrier_ != nullptr ? carrier_->active() : exchange_.active();
  }
  bool retried() const noexcept {
    return carrier_ != nullptr ? carrier_->retried() : exchange_.retried();
  }
  Flow answer(LocalReply reply);
  void fail_before_head(const upstream::Failure& failure);
  void log_failure(std::string_view what, std::string_view why, std::string_view transport) const;
  void prepare_head(ResponseHead& head);
  void set_upstream_host(upstream::Pool& pool);
  void start_duration();
  void request_done();
  void response_done();
  void abandon() noexcept;
  /// When time is up: a reply, or the end of a response that has begun.
  void answer_late(LocalReply reply);
  static void on_timeout(void* self) noexcept;
  static void on_duration_reached(void* self) noexcept;

  const RouterSettings& settings_;
  upstream::WorkerClusters& clusters_;
  stream::TerminalCallbacks* terminal_ = nullptr;
  const Route* route_ = nullptr;
  upstream::ClusterSharedState* cluster_state_ = nullptr;  // outlives every cluster
  upstream::Exchange exchange_;
  WantedHost wanted_host_;
  std::unique_ptr<Carrier> carrier_;  // instead of exchange_, where there is more to it
  event::Timer timeout_;
  std::chrono::milliseconds timeout_after_{0};
  std::chrono::milliseconds duration_after_{0};
  std::unique_ptr<event::Timer> duration_;  // where the cluster has a max_stream_duration
  MonotonicTime request_done_{};
  upstream::Pool* host_named_ = nullptr;  // whose address stands in StreamInfo; compared only
  bool head_passed_ = false;
};

}  // namespace weir::router
