#include "filters/http/health_check/health_check_filter.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>
#include <weir/matchers.h>

namespace weir::filters {

namespace {

using Clock = std::chrono::steady_clock;

/// A cluster that must have this share of healthy hosts.
struct MinHealthy {
  std::string cluster;
  double percent = 0;

  bool holds(const Callouts& clusters) const {
    const auto hosts = clusters.cluster_hosts(cluster);
    if (!hosts) return false;
    // An empty cluster satisfies nothing but 0 %.
    if (hosts->total == 0) return percent == 0;
    return 100.0 * static_cast<double>(hosts->healthy) >=
           percent * static_cast<double>(hosts->total);
  }
};

/// What is configured, and the last answer of the upstream, which all workers share.
class HealthCheck {
 public:
  HealthCheck(bool pass_through, std::chrono::nanoseconds cache_time, HeaderMatchers headers,
              std::vector<MinHealthy> clusters)
      : pass_through_(pass_through),
        cache_time_(cache_time),
        headers_(std::move(headers)),
        clusters_(std::move(clusters)) {}

  bool is_probe(const RequestHead& head) const { return headers_.matches(head); }
  bool clusters_healthy(const Callouts& clusters) const {
    return std::all_of(clusters_.begin(), clusters_.end(),
                       [&clusters](const MinHealthy& one) { return one.holds(clusters); });
  }
  bool pass_through() const noexcept { return pass_through_; }
  /// The remembered status; 0 if there is none or it is too old.
  int cached() const noexcept {
    if (cache_time_.count() == 0) return 0;
    if (Clock::now().time_since_epoch().count() >= expires_.load(std::memory_order_acquire))
      return 0;
    return status_.load(std::memory_order_relaxed);
  }
  void remember(int status) const noexcept {
    if (cache_time_.count() == 0) return;
    status_.store(status, std::memory_order_relaxed);
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(cache_time_);
    expires_.store(until.time_since_epoch().count(), std::memory_order_release);
  }

 private:
  const bool pass_through_;
  const std::chrono::nanoseconds cache_time_;
  const HeaderMatchers headers_;
  const std::vector<MinHealthy> clusters_;
  mutable std::atomic<int> status_{0};
  mutable std::atomic<Clock::rep> expires_{0};
};

class HealthCheckFilter final : public HttpFilter {
 public:
  explicit HealthCheckFilter(const HealthCheck& config) : config_(config) {}

  Flow on_request_head(RequestHead& head, EndStream end) override {
    probe_ = config_.is_probe(head);
    if (!probe_) return Flow::kContinue;
    callbacks_->stream_info().health_check = true;
    cached_ = config_.pass_through() ? config_.cached() : 0;
    if (config_.pass_through() && cached_ == 0 && !callbacks_->health_check_failed())
      return Flow::kContinue;
    answering_ = true;
    if (end == EndStream::kYes) return answer();
    return Flow::kPauseHead;
  }
  Flow on_request_body(Buffer&, EndStream end) override {
    if (!answering_) return Flow::kContinue;
    return end == EndStream::kYes ? answer() : Flow::kDrop;
  }
  Flow on_request_trailers(HeaderMap&) override { return answering_ ? answer() : Flow::kContinue; }

  Flow on_response_head(ResponseHead& head, EndStream) override {
    if (probe_ && !answering_) config_.remember(head.status);
    // Tells Envoy's active health checking to take this host out at once.
    if (!probe_ && callbacks_->health_check_failed())
      head.headers.set("x-envoy-immediate-health-check-fail", "true");
    return Flow::kContinue;
  }

 private:
  Flow answer() {
    LocalReply reply;
    reply.status = 200;
    reply.details = "health_check_ok";
    if (callbacks_->health_check_failed()) {
      callbacks_->stream_info().set_flag(ResponseFlag::kFailedLocalHealthCheck);
      reply.status = 503;
      reply.details = "health_check_failed";
    } else if (cached_ != 0) {
      reply.status = cached_;
      reply.details = "health_check_cached";
    } else if (!config_.clusters_healthy(callbacks_->callouts())) {
      callbacks_->stream_info().set_flag(ResponseFlag::kFailedLocalHealthCheck);
      reply.status = 503;
      reply.details = "health_check_failed_cluster_unhealthy";
    }
    callbacks_->reply(std::move(reply));
    return Flow::kReplied;
  }

  const HealthCheck& config_;
  bool probe_ = false;
  bool answering_ = false;
  int cached_ = 0;
};

class Factory final : public HttpFilterFactory {
 public:
  Factory(bool pass_through, std::chrono::nanoseconds cache_time, HeaderMatchers headers,
          std::vector<MinHealthy> clusters)
      : config_(pass_through, cache_time, std::move(headers), std::move(clusters)) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<HealthCheckFilter>(config_);
  }

 private:
  HealthCheck config_;
};

std::vector<MinHealthy> read_clusters(ConfigView& config) {
  std::vector<MinHealthy> out;
  auto view = config.message("cluster_min_healthy_percentages");
  if (!view) return out;
  for (const std::string& name : view->keys()) {
    auto percent = view->message(name);
    if (!percent) continue;
    out.push_back({name, percent->number("value", 0)});
    if (out.back().percent < 0 || out.back().percent > 100)
      percent->error("value", "must be within 0 and 100");
  }
  return out;
}

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_health_check(ConfigView& config, FactoryContext&) {
  if (!config.has("pass_through_mode")) config.missing("pass_through_mode");
  const bool pass_through = config.boolean("pass_through_mode", false);
  const auto cache_time = config.duration("cache_time", std::chrono::nanoseconds(0));
  if (!pass_through && cache_time.count() > 0)
    config.error("cache_time", "has a meaning with pass_through_mode only");
  auto clusters = read_clusters(config);
  if (pass_through && !clusters.empty())
    config.error("cluster_min_healthy_percentages", "has a meaning without pass_through_mode only");
  auto headers = HeaderMatchers::read(config, "headers");
  return std::make_shared<const Factory>(pass_through, cache_time, std::move(headers),
                                         std::move(clusters));
}

}  // namespace weir::filters
