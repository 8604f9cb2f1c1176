#include "filters/network/connection_limit/connection_limit_filter.h"

#include <atomic>
#include <string>
#include <utility>
#include <weir/shared_objects.h>

#include "filters/common/fraction.h"

namespace weir::filters {

namespace {

struct Settings {
  explicit Settings(StatsScope& scope)
      : limited(scope.counter("limited_connections")), active(scope.gauge("active_connections")) {}
  Counter& limited;
  Gauge& active;
  uint64_t max_connections = 0;
  std::chrono::milliseconds delay{0};
  bool enabled = true;
  std::atomic<uint64_t>* count = nullptr;  // of all workers, and of the generations before
};

class ConnectionLimit final : public NetworkFilter {
 public:
  explicit ConnectionLimit(const Settings& settings)
      : settings_(settings), count_(*settings.count) {}

  NetworkFlow on_new_connection() override {
    if (!settings_.enabled) return NetworkFlow::kContinue;
    if (count_.fetch_add(1, std::memory_order_relaxed) < settings_.max_connections) {
      counted_ = true;
      settings_.active.inc();
      return NetworkFlow::kContinue;
    }
    count_.fetch_sub(1, std::memory_order_relaxed);
    settings_.limited.inc();
    refused_ = true;
    // A client that is sent away late comes back less often.
    if (settings_.delay.count() > 0) {
      callbacks_->hold_reading();
      timer_ = callbacks_->start_timer(settings_.delay, &ConnectionLimit::on_timer, this);
    } else {
      refuse();
    }
    return NetworkFlow::kStop;
  }

  NetworkFlow on_data(Buffer&, EndStream) override {
    return refused_ ? NetworkFlow::kStop : NetworkFlow::kContinue;
  }

  void on_close(CloseEvent) noexcept override {
    timer_.reset();
    if (!std::exchange(counted_, false)) return;
    count_.fetch_sub(1, std::memory_order_relaxed);
    settings_.active.dec();
  }

 private:
  static void on_timer(void* self) { static_cast<ConnectionLimit*>(self)->refuse(); }
  void refuse() { callbacks_->close(CloseHow::kNow, "connection_limit"); }

  const Settings& settings_;
  std::atomic<uint64_t>& count_;
  std::unique_ptr<StreamTimer> timer_;
  bool counted_ = false;
  bool refused_ = false;
};

class Factory final : public NetworkFilterFactory {
 public:
  Factory(std::unique_ptr<const Settings> settings) : settings_(std::move(settings)) {}
  std::unique_ptr<NetworkFilter> create(unsigned) const override {
    return std::make_unique<ConnectionLimit>(*settings_);
  }

 private:
  std::unique_ptr<const Settings> settings_;
};

}  // namespace

std::shared_ptr<const NetworkFilterFactory> make_connection_limit(ConfigView& config,
                                                                  FactoryContext& context) {
  const std::string prefix = config.required_text("stat_prefix");
  auto settings =
      std::make_unique<Settings>(*context.stats.scope("connection_limit." + prefix + "."));
  if (!config.has("max_connections")) config.missing("max_connections");
  settings->max_connections =
      static_cast<uint64_t>(config.integer("max_connections", 1, 1, INT64_MAX));
  settings->delay = std::chrono::ceil<std::chrono::milliseconds>(
      config.duration("delay", std::chrono::nanoseconds(0)));
  settings->enabled = read_runtime_flag(config, "runtime_enabled", true);
  settings->count = &context.shared->get<std::atomic<uint64_t>>(
      "connection_limit " + prefix + " " + config.path(),
      [] { return std::make_unique<std::atomic<uint64_t>>(0); });
  return std::make_shared<const Factory>(std::move(settings));
}

}  // namespace weir::filters
