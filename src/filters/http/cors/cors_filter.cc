#include "filters/http/cors/cors_filter.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <weir/matchers.h>

#include "filters/common/fraction.h"

namespace weir::filters {

namespace {

/// One CorsPolicy. What it leaves open, the less specific levels of the route decide.
struct Policy {
  std::vector<StringMatcher> origins;
  std::string allow_methods, allow_headers, expose_headers, max_age;
  std::optional<bool> allow_credentials, allow_private_network_access;
  std::optional<bool> forward_not_matching_preflights;
  Fraction enabled{Fraction::kAll};
  Fraction shadow;

  bool allows(std::string_view origin) const {
    // A matcher that takes the text "*" stands for every origin.
    for (const StringMatcher& matcher : origins)
      if (matcher.matches("*") || matcher.matches(origin)) return true;
    return false;
  }
};

struct Stats {
  explicit Stats(StatsScope& scope)
      : origin_valid(scope.counter("cors.origin_valid")),
        origin_invalid(scope.counter("cors.origin_invalid")) {}
  Counter &origin_valid, &origin_invalid;
};

std::optional<bool> read_optional(ConfigView& config, std::string_view field) {
  if (!config.has(field)) return std::nullopt;
  return config.boolean(field, false);
}

std::string read_value(ConfigView& config, std::string_view field) {
  std::string text = config.text(field);
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      config.error(field, "a control character cannot stand in a header");
      return {};
    }
  return text;
}

std::shared_ptr<const Policy> read_policy(ConfigView& config) {
  auto out = std::make_unique<Policy>();
  for (auto& matcher : config.messages("allow_origin_string_match"))
    out->origins.push_back(StringMatcher::read(*matcher));
  out->allow_methods = read_value(config, "allow_methods");
  out->allow_headers = read_value(config, "allow_headers");
  out->expose_headers = read_value(config, "expose_headers");
  out->max_age = read_value(config, "max_age");
  out->allow_credentials = read_optional(config, "allow_credentials");
  out->allow_private_network_access = read_optional(config, "allow_private_network_access");
  out->forward_not_matching_preflights = read_optional(config, "forward_not_matching_preflights");
  out->enabled = read_runtime_fraction(config, "filter_enabled", Fraction{Fraction::kAll});
  out->shadow = read_runtime_fraction(config, "shadow_enabled");
  return out;
}

class CorsFilter final : public HttpFilter {
 public:
  explicit CorsFilter(const Stats& stats) : stats_(stats) {}

  Flow on_request_head(RequestHead& head, EndStream) override {
    const auto origin = head.headers.get(HeaderId::kOrigin);
    if (!origin || origin->empty()) return Flow::kContinue;
    policies_ = callbacks_->route_configs();
    if (policies_.size() == 0) return Flow::kContinue;
    const bool enabled = policy(0).enabled.draw();
    if (!enabled && !policy(0).shadow.draw()) return Flow::kContinue;
    const bool allowed = origin_allowed(*origin);
    (allowed ? stats_.origin_valid : stats_.origin_invalid).inc();
    if (!enabled) return Flow::kContinue;
    if (allowed) origin_ = *origin;
    const auto method = head.headers.get("access-control-request-method");
    if (head.method() != "OPTIONS" || !method || method->empty()) return Flow::kContinue;
    if (!allowed && first(&Policy::forward_not_matching_preflights).value_or(true))
      return Flow::kContinue;
    answer_preflight(head);
    return Flow::kReplied;
  }

  Flow on_response_head(ResponseHead& head, EndStream) override {
    if (origin_.empty()) return Flow::kContinue;
    HeaderMap& headers = head.headers;
    headers.set("access-control-allow-origin", origin_);
    if (first(&Policy::allow_credentials).value_or(false))
      headers.set("access-control-allow-credentials", "true");
    if (preflight_) return Flow::kContinue;
    if (const std::string* expose = first_text(&Policy::expose_headers))
      headers.set("access-control-expose-headers", *expose);
    return Flow::kContinue;
  }

 private:
  const Policy& policy(size_t level) const noexcept {
    return *static_cast<const Policy*>(policies_[level]);
  }
  bool origin_allowed(std::string_view origin) const {
    for (size_t i = 0; i < policies_.size(); ++i)
      if (!policy(i).origins.empty()) return policy(i).allows(origin);
    return false;
  }
  std::optional<bool> first(std::optional<bool> Policy::*field) const {
    for (size_t i = 0; i < policies_.size(); ++i)
      if (policy(i).*field) return policy(i).*field;
    return std::nullopt;
  }
  const std::string* first_text(std::string Policy::*field) const {
    for (size_t i = 0; i < policies_.size(); ++i)
      if (!(policy(i).*field).empty()) return &(policy(i).*field);
    return nullptr;
  }

  void answer_preflight(const RequestHead& head) {
    preflight_ = true;
    LocalReply reply;
    reply.status = 200;
    reply.details = "cors_response";
    if (!origin_.empty()) {
      const auto add = [&reply, this](std::string_view name, std::string Policy::*field) {
        if (const std::string* value = first_text(field)) reply.headers.emplace_back(name, *value);
      };
      add("access-control-allow-methods", &Policy::allow_methods);
      add("access-control-allow-headers", &Policy::allow_headers);
      add("access-control-max-age", &Policy::max_age);
      if (first(&Policy::allow_private_network_access).value_or(false) &&
          head.headers.get("access-control-request-private-network") == "true")
        reply.headers.emplace_back("access-control-allow-private-network", "true");
    }
    callbacks_->reply(std::move(reply));
  }

  const Stats& stats_;
  // Both live as long as the stream: the snapshot has the policies, the request's head the text.
  RouteConfigs policies_;
  std::string_view origin_;  // empty: not allowed, or no CORS request
  bool preflight_ = false;
};

class Factory final : public HttpFilterFactory {
 public:
  explicit Factory(StatsScope& scope) : stats_(scope) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<CorsFilter>(stats_);
  }
  std::string_view route_config_type() const noexcept override {
    return "envoy.extensions.filters.http.cors.v3.CorsPolicy";
  }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    return read_policy(config);
  }

 private:
  Stats stats_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_cors(ConfigView&, FactoryContext& context) {
  return std::make_shared<const Factory>(context.stats);
}

}  // namespace weir::filters
