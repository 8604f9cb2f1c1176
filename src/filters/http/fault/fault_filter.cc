#include "filters/http/fault/fault_filter.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "filters/http/fault/settings.h"

namespace weir::filters {

namespace {

using std::chrono::milliseconds;

struct Stats {
  explicit Stats(StatsScope& scope)
      : delays_injected(scope.counter("fault.delays_injected")),
        aborts_injected(scope.counter("fault.aborts_injected")),
        response_rl_injected(scope.counter("fault.response_rl_injected")),
        faults_overflow(scope.counter("fault.faults_overflow")),
        active_faults(scope.gauge("fault.active_faults")) {}
  Counter &delays_injected, &aborts_injected, &response_rl_injected, &faults_overflow;
  Gauge& active_faults;
};

/// What all streams of one configured filter share.
struct Shared {
  Shared(ConfigView& config, StatsScope& scope)
      : settings(read_fault_settings(config)), stats(scope) {}
  const FaultSettings settings;
  const Stats stats;
  mutable std::atomic<int64_t> active{0};
};

class FaultFilter final : public HttpFilter {
 public:
  explicit FaultFilter(const Shared& shared) : shared_(shared), settings_(&shared.settings) {}

  Flow on_request_head(RequestHead& head, EndStream) override {
    if (const void* own = callbacks_->route_config())
      settings_ = static_cast<const FaultSettings*>(own);
    if (!concerns(head)) return Flow::kContinue;
    choose_rate(head.headers);
    const auto delay =
        settings_->delay ? settings_->delay->choose(head.headers) : std::optional<milliseconds>();
    if (delay && activate()) {
      shared_.stats.delays_injected.inc();
      callbacks_->stream_info().set_flag(ResponseFlag::kDelayInjected);
      timer_ = callbacks_->start_timer(*delay, &on_delay_over, this);
      return Flow::kPauseAll;
    }
    return abort(head.headers) ? Flow::kReplied : Flow::kContinue;
  }

  Flow on_response_head(ResponseHead&, EndStream) override {
    limiting_ = slice_ > 0 && !aborted_;
    return Flow::kContinue;
  }
  Flow on_response_body(Buffer&, EndStream end) override {
    if (!limiting_) return Flow::kContinue;
    ended_ = ended_ || end == EndStream::kYes;
    if (timer_ == nullptr) timer_ = callbacks_->start_timer(milliseconds(0), &on_slice_due, this);
    return Flow::kWatermark;
  }
  Flow on_response_trailers(HeaderMap&) override {
    if (!limiting_ || callbacks_->held_response_body() == nullptr) return Flow::kContinue;
    ended_ = true;
    return Flow::kPauseAll;
  }

  void on_stream_end(const StreamInfo&) noexcept override {
    timer_.reset();
    if (!active_) return;
    shared_.active.fetch_sub(1, std::memory_order_relaxed);
    shared_.stats.active_faults.dec();
  }

 private:
  static constexpr uint64_t kSlicesPerSecond = 16;

  bool concerns(const RequestHead& head) const {
    const FaultSettings& all = *settings_;
    if (!all.upstream_cluster.empty() && callbacks_->route_cluster() != all.upstream_cluster)
      return false;
    if (!all.downstream_nodes.empty()) {
      const auto node = head.headers.get("x-envoy-downstream-service-node");
      if (!node || std::find(all.downstream_nodes.begin(), all.downstream_nodes.end(), *node) ==
                       all.downstream_nodes.end())
        return false;
    }
    return all.headers.matches(head);
  }

  /// True if this stream may have a fault, by max_active_faults; it then counts as one until it ends.
  bool activate() {
    if (active_) return true;
    const int64_t before = shared_.active.fetch_add(1, std::memory_order_relaxed);
    if (settings_->limited && before >= settings_->max_active_faults) {
      shared_.active.fetch_sub(1, std::memory_order_relaxed);
      shared_.stats.faults_overflow.inc();
      return false;
    }
    shared_.stats.active_faults.inc();
    active_ = true;
    return true;
  }

  void choose_rate(const HeaderMap& headers) {
    if (!settings_->response_rate_limit) return;
    const auto rate = settings_->response_rate_limit->choose(headers);
    if (!rate || !activate()) return;
    shared_.stats.response_rl_injected.inc();
    slice_ = *rate * 1024 / kSlicesPerSecond;
  }

  bool abort(const HeaderMap& headers) {
    if (!settings_->abort) return false;
    const auto answer = settings_->abort->choose(headers);
    if (!answer || !activate()) return false;
    shared_.stats.aborts_injected.inc();
    callbacks_->stream_info().set_flag(ResponseFlag::kFaultInjected);
    aborted_ = true;
    LocalReply reply;
    reply.status = answer->status;
    reply.grpc_status = answer->grpc_status;
    reply.body = "fault filter abort";
    reply.details = "fault_filter_abort";
    callbacks_->reply(std::move(reply));
    return true;
  }

  static void on_delay_over(void* self) {
    auto& filter = *static_cast<FaultFilter*>(self);
    filter.timer_.reset();
    // A delay may be followed by an answer.
    if (!filter.abort(filter.callbacks_->request_head()->headers))
      filter.callbacks_->continue_request();
  }

  static void on_slice_due(void* self) {
    auto& filter = *static_cast<FaultFilter*>(self);
    filter.timer_.reset();
    filter.pass_slice();
  }
  /// Lets one slice of the response through, and with the last one the end.
  void pass_slice() {
    Buffer* held = callbacks_->held_response_body();
    if (held != nullptr) {
      Buffer slice;
      held->move_to(slice, static_cast<size_t>(slice_));
      const bool rest = !held->empty();
      callbacks_->pass_response_body(std::move(slice));
      // Also when nothing is left: what comes meanwhile waits for its slice.
      if (rest || !ended_)
        timer_ =
            callbacks_->start_timer(milliseconds(1000 / kSlicesPerSecond), &on_slice_due, this);
      if (rest) return;
    }
    if (ended_) callbacks_->continue_response();
  }

  const Shared& shared_;
  const FaultSettings* settings_;
  std::unique_ptr<StreamTimer> timer_;  // of the delay, then of the slices
  uint64_t slice_ = 0;                  // bytes of the response at a time; 0: as it comes
  bool active_ = false;
  bool aborted_ = false;
  bool limiting_ = false;
  bool ended_ = false;
};

class Factory final : public HttpFilterFactory {
 public:
  Factory(ConfigView& config, StatsScope& scope) : shared_(config, scope) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<FaultFilter>(shared_);
  }
  std::string_view route_config_type() const noexcept override {
    return "envoy.extensions.filters.http.fault.v3.HTTPFault";
  }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    return std::make_shared<const FaultSettings>(read_fault_settings(config));
  }

 private:
  const Shared shared_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_fault(ConfigView& config, FactoryContext& context) {
  return std::make_shared<const Factory>(config, context.stats);
}

}  // namespace weir::filters
