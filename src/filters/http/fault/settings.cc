#include "filters/http/fault/settings.h"

#include <charconv>
#include <limits>

namespace weir::filters {

namespace {

using std::chrono::milliseconds;

std::optional<uint64_t> number_of(const HeaderMap& headers, std::string_view name) {
  const auto text = headers.get(name);
  if (!text || text->empty()) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

FaultSettings::Delay read_delay(ConfigView& view) {
  FaultSettings::Delay out;
  const auto kind = view.one_of({"fixed_delay", "header_delay"}, ConfigView::Required::kYes);
  out.by_header = kind == "header_delay";
  if (out.by_header) static_cast<void>(view.message("header_delay"));
  if (kind == "fixed_delay") {
    const auto delay = view.duration("fixed_delay", milliseconds(1));
    if (delay.count() <= 0) view.error("fixed_delay", "must be greater than 0s");
    out.fixed = std::chrono::ceil<milliseconds>(delay);
  }
  out.percentage = read_percent(view, "percentage");
  return out;
}

FaultSettings::Abort read_abort(ConfigView& view) {
  FaultSettings::Abort out;
  const auto kind =
      view.one_of({"http_status", "grpc_status", "header_abort"}, ConfigView::Required::kYes);
  out.by_header = kind == "header_abort";
  if (out.by_header) static_cast<void>(view.message("header_abort"));
  if (kind == "http_status")
    out.http_status = static_cast<int>(view.integer("http_status", 503, 200, 599));
  if (kind == "grpc_status")
    out.grpc_status = static_cast<int>(view.integer("grpc_status", 2, 0, 16));
  out.percentage = read_percent(view, "percentage");
  return out;
}

FaultSettings::RateLimit read_rate_limit(ConfigView& view) {
  FaultSettings::RateLimit out;
  const auto kind = view.one_of({"fixed_limit", "header_limit"}, ConfigView::Required::kYes);
  out.by_header = kind == "header_limit";
  if (out.by_header) static_cast<void>(view.message("header_limit"));
  if (auto fixed = kind == "fixed_limit" ? view.message("fixed_limit") : nullptr) {
    if (!fixed->has("limit_kbps")) fixed->missing("limit_kbps");
    out.kibibytes = static_cast<uint64_t>(
        fixed->integer("limit_kbps", 1, 1, std::numeric_limits<uint32_t>::max()));
  }
  out.percentage = read_percent(view, "percentage");
  return out;
}

}  // namespace

bool Fault::draw(const HeaderMap& headers, std::string_view name) const {
  if (by_header)
    if (const auto asked = number_of(headers, name)) return percentage.with(*asked).draw();
  return percentage.fraction().draw();
}

std::optional<milliseconds> FaultSettings::Delay::choose(const HeaderMap& headers) const {
  milliseconds chosen = fixed;
  if (by_header) {
    const auto asked = number_of(headers, "x-envoy-fault-delay-request");
    constexpr uint64_t kMost = 24 * 3600 * 1000;  // a day: what a request asks for is bounded
    if (!asked || *asked == 0 || *asked > kMost) return std::nullopt;
    chosen = milliseconds(*asked);
  }
  if (!draw(headers, "x-envoy-fault-delay-request-percentage")) return std::nullopt;
  return chosen;
}

std::optional<FaultSettings::Abort::Answer> FaultSettings::Abort::choose(
    const HeaderMap& headers) const {
  Answer chosen{http_status, grpc_status};
  if (by_header) {
    const auto status = number_of(headers, "x-envoy-fault-abort-request");
    const auto grpc = number_of(headers, "x-envoy-fault-abort-grpc-request");
    if (grpc && *grpc <= 16)
      chosen.grpc_status = static_cast<int>(*grpc);
    else if (status && *status >= 200 && *status < 600)
      chosen.status = static_cast<int>(*status);
    else
      return std::nullopt;
  }
  if (!draw(headers, "x-envoy-fault-abort-request-percentage")) return std::nullopt;
  if (chosen.grpc_status >= 0) chosen.status = 200;
  return chosen;
}

std::optional<uint64_t> FaultSettings::RateLimit::choose(const HeaderMap& headers) const {
  uint64_t chosen = kibibytes;
  if (by_header) {
    const auto asked = number_of(headers, "x-envoy-fault-throughput-response");
    if (!asked || *asked == 0 || *asked > std::numeric_limits<uint32_t>::max()) return std::nullopt;
    chosen = *asked;
  }
  if (!draw(headers, "x-envoy-fault-throughput-response-percentage")) return std::nullopt;
  return chosen;
}

FaultSettings read_fault_settings(ConfigView& config) {
  FaultSettings out;
  if (auto view = config.message("delay")) out.delay = read_delay(*view);
  if (auto view = config.message("abort")) out.abort = read_abort(*view);
  if (auto view = config.message("response_rate_limit"))
    out.response_rate_limit = read_rate_limit(*view);
  out.upstream_cluster = config.text("upstream_cluster");
  out.headers = HeaderMatchers::read(config, "headers");
  out.downstream_nodes = config.texts("downstream_nodes");
  out.limited = config.has("max_active_faults");
  out.max_active_faults =
      config.integer("max_active_faults", 0, 0, std::numeric_limits<uint32_t>::max());
  // There is no runtime, and no statistics of the names that requests bring.
  static_cast<void>(config.text("delay_percent_runtime"));
  static_cast<void>(config.text("abort_percent_runtime"));
  static_cast<void>(config.text("delay_duration_runtime"));
  static_cast<void>(config.text("abort_http_status_runtime"));
  static_cast<void>(config.text("max_active_faults_runtime"));
  static_cast<void>(config.text("response_rate_limit_percent_runtime"));
  static_cast<void>(config.text("abort_grpc_status_runtime"));
  static_cast<void>(config.boolean("disable_downstream_cluster_stats", false));
  config.unsupported("filter_metadata", "comes later");
  return out;
}

}  // namespace weir::filters
