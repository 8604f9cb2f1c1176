#include "filters/http/local_ratelimit/local_ratelimit_filter.h"

#include <utility>
#include <weir/header_options.h>

#include "filters/common/fraction.h"
#include "filters/http/local_ratelimit/token_bucket.h"

namespace weir::filters {

namespace {

using std::chrono::nanoseconds;

nanoseconds now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

struct Stats {
  Stats(StatsScope& root, const std::string& prefix)
      : Stats(*root.scope(prefix + ".http_local_rate_limit.")) {}
  explicit Stats(StatsScope& scope)
      : enabled(scope.counter("enabled")),
        enforced(scope.counter("enforced")),
        rate_limited(scope.counter("rate_limited")),
        ok(scope.counter("ok")) {}
  Counter &enabled, &enforced, &rate_limited, &ok;
};

/// One LocalRateLimit message, of the filter or of a route. The bucket is the process's.
struct RateLimit {
  RateLimit(StatsScope& root, const std::string& prefix) : stats(root, prefix) {}
  Stats stats;
  int status = 429;
  std::unique_ptr<TokenBucket> bucket;  // null: no limit
  Fraction enabled, enforced;           // absent: 0 %, the filter is off
  HeaderOptions response_headers;
  HeaderOptions request_headers_when_not_enforced;
  bool x_ratelimit_headers = false;
  bool resource_exhausted = false;
};

std::unique_ptr<TokenBucket> read_bucket(ConfigView& config) {
  auto view = config.message("token_bucket");
  if (!view) return nullptr;
  constexpr int64_t kMost = 0xffffffff;
  if (!view->has("max_tokens")) view->missing("max_tokens");
  const auto max = view->integer("max_tokens", 1, 1, kMost);
  const auto per_fill = view->integer("tokens_per_fill", 1, 1, kMost);
  auto interval = view->duration("fill_interval", nanoseconds(0));
  if (interval < std::chrono::milliseconds(50)) {
    view->error("fill_interval", "must be at least 0.05s");
    interval = std::chrono::milliseconds(50);
  }
  return std::make_unique<TokenBucket>(static_cast<uint32_t>(max), static_cast<uint32_t>(per_fill),
                                       interval, now());
}

std::shared_ptr<const RateLimit> read_limit(ConfigView& config, StatsScope& root) {
  static const std::vector<std::string_view> kHeaderVersions = {"OFF", "DRAFT_VERSION_03"};
  const std::string prefix = config.text("stat_prefix");
  if (prefix.empty()) config.missing("stat_prefix");
  auto out = std::make_unique<RateLimit>(root, prefix);
  if (auto status = config.message("status")) {
    out->status = static_cast<int>(status->integer("code", 429, 100, 599));
    if (out->status < 400) out->status = 429;  // as Envoy: a limit is no success
  }
  out->bucket = read_bucket(config);
  out->enabled = read_runtime_fraction(config, "filter_enabled");
  out->enforced = read_runtime_fraction(config, "filter_enforced");
  out->response_headers = HeaderOptions::read(config, "response_headers_to_add");
  out->request_headers_when_not_enforced =
      HeaderOptions::read(config, "request_headers_to_add_when_not_enforced");
  out->x_ratelimit_headers =
      config.enumeration("enable_x_ratelimit_headers", kHeaderVersions, 0) == 1;
  out->resource_exhausted = config.boolean("rate_limited_as_resource_exhausted", false);
  static_cast<void>(config.boolean("always_consume_default_token_bucket",
                                   true));  // there is only the default one
  static_cast<void>(config.integer("stage", 0, 0, 10));
  if (config.boolean("local_rate_limit_per_downstream_connection", false))
    config.error("local_rate_limit_per_downstream_connection",
                 "is not supported: the bucket is the process's");
  for (const char* field : {"descriptors", "rate_limits", "vh_rate_limits",
                            "local_cluster_rate_limit", "max_dynamic_descriptors"})
    config.unsupported(field, "limits by descriptor are not supported");
  return out;
}

class LocalRateLimitFilter final : public HttpFilter {
 public:
  explicit LocalRateLimitFilter(const RateLimit& common) : limit_(&common) {}

  Flow on_request_head(RequestHead& head, EndStream) override {
    if (const void* own = callbacks_->route_config()) limit_ = static_cast<const RateLimit*>(own);
    if (limit_->bucket == nullptr || !limit_->enabled.draw()) return Flow::kContinue;
    counted_ = true;
    const Stats& stats = limit_->stats;
    stats.enabled.inc();
    if (limit_->bucket->take(now())) {
      stats.ok.inc();
      return Flow::kContinue;
    }
    stats.rate_limited.inc();
    if (!limit_->enforced.draw()) {
      limit_->request_headers_when_not_enforced.apply(head.headers, *callbacks_);
      return Flow::kContinue;
    }
    stats.enforced.inc();
    refused_ = true;
    callbacks_->stream_info().set_flag(ResponseFlag::kRateLimited);
    LocalReply reply;
    reply.status = limit_->status;
    reply.body = "local_rate_limited";
    reply.details = "local_rate_limited";
    if (limit_->resource_exhausted) reply.grpc_status = 8;
    callbacks_->reply(std::move(reply));
    return Flow::kReplied;
  }

  Flow on_response_head(ResponseHead& head, EndStream) override {
    if (refused_) limit_->response_headers.apply(head.headers, *callbacks_);
    if (counted_ && limit_->x_ratelimit_headers) add_headers(head.headers);
    return Flow::kContinue;
  }

 private:
  void add_headers(HeaderMap& headers) const {
    const TokenBucket& bucket = *limit_->bucket;
    const auto reset = std::chrono::ceil<std::chrono::seconds>(bucket.until_fill(now())).count();
    headers.set("x-ratelimit-limit", std::to_string(bucket.max()));
    headers.set("x-ratelimit-remaining", std::to_string(bucket.remaining()));
    headers.set("x-ratelimit-reset", std::to_string(reset));
  }

  const RateLimit* limit_;
  bool counted_ = false;
  bool refused_ = false;
};

class Factory final : public HttpFilterFactory {
 public:
  Factory(ConfigView& config, StatsScope& root)
      : root_(root.scope({})), limit_(read_limit(config, *root_)) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<LocalRateLimitFilter>(*limit_);
  }
  std::string_view route_config_type() const noexcept override {
    return "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
  }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    return read_limit(config, *root_);
  }

 private:
  std::unique_ptr<StatsScope> root_;
  std::shared_ptr<const RateLimit> limit_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_local_ratelimit(ConfigView& config,
                                                              FactoryContext& context) {
  return std::make_shared<const Factory>(
      config, context.root_stats != nullptr ? *context.root_stats : context.stats);
}

}  // namespace weir::filters
