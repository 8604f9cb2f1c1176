#include "filters/network/rbac/rbac_filter.h"

#include <string>
#include <utility>

#include "filters/network/rbac/rules.h"

namespace weir::filters {

namespace {

using rbac::Rules;

struct Settings {
  Settings(StatsScope& scope, const std::string& shadow)
      : allowed(scope.counter("allowed")),
        denied(scope.counter("denied")),
        shadow_allowed(scope.counter(shadow + "shadow_allowed")),
        shadow_denied(scope.counter(shadow + "shadow_denied")) {}
  Counter &allowed, &denied, &shadow_allowed, &shadow_denied;
  std::shared_ptr<const Rules> rules;         // null: everybody is let in
  std::shared_ptr<const Rules> shadow_rules;  // only counted
  bool continuous = false;
  std::chrono::milliseconds delay_deny{0};
};

class Rbac final : public NetworkFilter {
 public:
  explicit Rbac(const Settings& settings) : settings_(settings) {}

  NetworkFlow on_data(Buffer&, EndStream) override {
    if (denied_) return NetworkFlow::kStop;
    if (judged_ && !settings_.continuous) return NetworkFlow::kContinue;
    judge_shadow();
    judged_ = true;
    if (settings_.rules == nullptr) return NetworkFlow::kContinue;
    const Rules::Verdict verdict = settings_.rules->judge(callbacks_->connection_info());
    (verdict.allowed ? settings_.allowed : settings_.denied).inc();
    if (verdict.allowed) return NetworkFlow::kContinue;
    denied_ = true;
    details_ = "rbac_access_denied_matched_policy[";
    details_ += verdict.policy != nullptr ? *verdict.policy : "none";
    details_ += "]";
    if (settings_.delay_deny.count() > 0) {
      callbacks_->hold_reading();
      timer_ = callbacks_->start_timer(settings_.delay_deny, &Rbac::on_timer, this);
    } else {
      refuse();
    }
    return NetworkFlow::kStop;
  }

  void on_close(CloseEvent) noexcept override { timer_.reset(); }

 private:
  static void on_timer(void* self) { static_cast<Rbac*>(self)->refuse(); }
  void refuse() { callbacks_->close(CloseHow::kNow, details_); }

  /// With ONE_TIME_ON_FIRST_BYTE once, else with every data, as Envoy counts.
  void judge_shadow() {
    if (settings_.shadow_rules == nullptr) return;
    const Rules::Verdict verdict = settings_.shadow_rules->judge(callbacks_->connection_info());
    (verdict.allowed ? settings_.shadow_allowed : settings_.shadow_denied).inc();
  }

  const Settings& settings_;
  std::unique_ptr<StreamTimer> timer_;
  std::string details_;
  bool judged_ = false;
  bool denied_ = false;
};

class Factory final : public NetworkFilterFactory {
 public:
  Factory(std::unique_ptr<const Settings> settings) : settings_(std::move(settings)) {}
  std::unique_ptr<NetworkFilter> create(unsigned) const override {
    return std::make_unique<Rbac>(*settings_);
  }

 private:
  std::unique_ptr<const Settings> settings_;
};

}  // namespace

std::shared_ptr<const NetworkFilterFactory> make_network_rbac(ConfigView& config,
                                                              FactoryContext& context) {
  static const std::vector<std::string_view> kEnforcement = {"ONE_TIME_ON_FIRST_BYTE",
                                                             "CONTINUOUS"};
  std::string prefix = config.required_text("stat_prefix");
  if (!prefix.ends_with('.')) prefix += '.';
  auto settings = std::make_unique<Settings>(*context.stats.scope(prefix + "rbac."),
                                             config.text("shadow_rules_stat_prefix"));
  if (auto rules = config.message("rules")) settings->rules = Rules::read(*rules);
  if (auto rules = config.message("shadow_rules")) settings->shadow_rules = Rules::read(*rules);
  settings->continuous = config.enumeration("enforcement_type", kEnforcement, 0) == 1;
  settings->delay_deny = std::chrono::ceil<std::chrono::milliseconds>(
      config.duration("delay_deny", std::chrono::nanoseconds(0)));
  config.unsupported("matcher", "matcher trees are not supported");
  config.unsupported("shadow_matcher", "matcher trees are not supported");
  return std::make_shared<const Factory>(std::move(settings));
}

}  // namespace weir::filters
