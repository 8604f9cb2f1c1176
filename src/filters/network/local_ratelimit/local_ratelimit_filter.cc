#include "filters/network/local_ratelimit/local_ratelimit_filter.h"

#include <string>
#include <utility>

#include "filters/common/fraction.h"
#include "filters/http/local_ratelimit/token_bucket.h"

namespace weir::filters {

namespace {

using std::chrono::nanoseconds;

nanoseconds now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

struct Settings {
  explicit Settings(StatsScope& scope) : rate_limited(scope.counter("rate_limited")) {}
  Counter& rate_limited;
  TokenBucket* bucket = nullptr;  // null after an error
  bool enabled = true;
};

class LocalRateLimit final : public NetworkFilter {
 public:
  explicit LocalRateLimit(const Settings& settings) : settings_(settings) {}
  NetworkFlow on_new_connection() override {
    if (!settings_.enabled || settings_.bucket->take(now())) return NetworkFlow::kContinue;
    settings_.rate_limited.inc();
    callbacks_->connection_info().flags |= 1U << static_cast<unsigned>(ResponseFlag::kRateLimited);
    callbacks_->close(CloseHow::kNow, "local_ratelimit");
    return NetworkFlow::kStop;
  }

 private:
  const Settings& settings_;
};

class Factory final : public NetworkFilterFactory {
 public:
  Factory(std::unique_ptr<const Settings> settings) : settings_(std::move(settings)) {}
  std::unique_ptr<NetworkFilter> create(unsigned) const override {
    return std::make_unique<LocalRateLimit>(*settings_);
  }

 private:
  std::unique_ptr<const Settings> settings_;
};

/// Filters with one share_key and one size share a bucket; without a key each place has its own, over edits too.
TokenBucket* read_bucket(ConfigView& config, FactoryContext& context,
                         const std::string& share_key) {
  auto view = config.required_message("token_bucket");
  if (!view) return nullptr;
  constexpr int64_t kMost = UINT32_MAX;
  if (!view->has("max_tokens")) view->missing("max_tokens");
  const auto max = view->integer("max_tokens", 1, 1, kMost);
  const auto per_fill = view->integer("tokens_per_fill", 1, 1, kMost);
  if (!view->has("fill_interval")) view->missing("fill_interval");
  const auto interval = view->duration("fill_interval", nanoseconds(0));
  if (view->has("fill_interval") && interval < std::chrono::milliseconds(50))
    view->error("fill_interval", "must be at least 0.05s");
  if (view->failed()) return nullptr;
  std::string name = "local_ratelimit ";
  name += share_key.empty() ? "at " + config.path() : "key " + share_key;
  name += " " + std::to_string(max) + " " + std::to_string(per_fill) + " " +
          std::to_string(interval.count());
  return &context.shared->get<TokenBucket>(name, [max, per_fill, interval] {
    return std::make_unique<TokenBucket>(static_cast<uint32_t>(max),
                                         static_cast<uint32_t>(per_fill), interval, now());
  });
}

}  // namespace

std::shared_ptr<const NetworkFilterFactory> make_network_local_ratelimit(ConfigView& config,
                                                                         FactoryContext& context) {
  const std::string prefix = config.required_text("stat_prefix");
  auto settings =
      std::make_unique<Settings>(*context.stats.scope("local_rate_limit." + prefix + "."));
  settings->bucket = read_bucket(config, context, config.text("share_key"));
  settings->enabled = read_runtime_flag(config, "runtime_enabled", true);
  if (settings->bucket == nullptr) return nullptr;
  return std::make_shared<const Factory>(std::move(settings));
}

}  // namespace weir::filters
