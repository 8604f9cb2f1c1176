#include "router/timeouts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <weir/grpc.h>

#include "base/strings.h"

namespace weir::router {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kControlPrefix = "x-envoy-";
constexpr std::string_view kTimeoutHeader = "x-envoy-upstream-rq-timeout-ms";
constexpr std::array<std::string_view, 9> kControlHeaders{
    kTimeoutHeader,
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-hedge-on-per-try-timeout",
};
constexpr std::string_view kGrpcTimeout = "grpc-timeout";
constexpr uint64_t kLongest = 7ULL * 24 * 3600 * 1000;

std::optional<milliseconds> parse_timeout(std::string_view text) {
  const std::optional<uint64_t> value = base::parse_u64(text);
  if (!value) return std::nullopt;
  return milliseconds(std::min(*value, kLongest));
}

}  // namespace

milliseconds request_timeout(const RouteActionOptions& action, RequestHead& head,
                             EnvoyHeaders envoy_headers, ExpectedTimeout expected) {
  milliseconds timeout = action.timeout;
  std::optional<milliseconds> asked;
  bool control = false;
  for (const HeaderMap::Entry& entry : head.headers) {
    // Most requests have none; this one comparison is all that they pay.
    if (!entry.name.starts_with(kControlPrefix)) continue;
    control |= std::find(kControlHeaders.begin(), kControlHeaders.end(), entry.name) !=
               kControlHeaders.end();
    if (entry.name == kTimeoutHeader && !asked) asked = parse_timeout(entry.value);
  }
  if (expected == ExpectedTimeout::kRespect) {
    if (const auto value = head.headers.get(HeaderId::kXEnvoyExpectedRqTimeoutMs))
      if (const auto parsed = parse_timeout(*value)) asked = parsed;
  }
  if (asked) timeout = *asked;
  if (control) {
    head.headers.remove_if([](const HeaderMap::Entry& entry) {
      return std::find(kControlHeaders.begin(), kControlHeaders.end(), entry.name) !=
             kControlHeaders.end();
    });
  }
  if (timeout.count() > 0 && envoy_headers == EnvoyHeaders::kAdd) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), timeout.count());
    head.headers.set(HeaderId::kXEnvoyExpectedRqTimeoutMs,
                     std::string_view(digits.data(), static_cast<size_t>(end.ptr - digits.data())));
  }
  return timeout;
}

std::optional<milliseconds> parse_grpc_timeout(std::string_view text) noexcept {
  constexpr size_t kMostDigits = 8;
  if (text.size() < 2 || text.size() > kMostDigits + 1) return std::nullopt;
  const std::optional<uint64_t> value = base::parse_u64(text.substr(0, text.size() - 1));
  if (!value) return std::nullopt;
  switch (text.back()) {
    case 'H':
      return milliseconds(*value * 3600 * 1000);
    case 'M':
      return milliseconds(*value * 60 * 1000);
    case 'S':
      return milliseconds(*value * 1000);
    case 'm':
      return milliseconds(*value);
    case 'u':
      return milliseconds((*value + 999) / 1000);
    case 'n':
      return milliseconds((*value + 999999) / 1000000);
    default:
      return std::nullopt;
  }
}

std::optional<milliseconds> stream_duration(const StreamDurationOptions& options,
                                            milliseconds manager, RequestHead& head) {
  if (options.grpc_max) {
    const auto asked = head.headers.get(kGrpcTimeout);
    if (auto timeout = asked ? parse_grpc_timeout(*asked) : std::nullopt) {
      if (options.grpc_max->count() > 0) timeout = std::min(*timeout, *options.grpc_max);
      timeout = std::max(*timeout - options.grpc_offset, milliseconds(0));
      head.headers.set(kGrpcTimeout, grpc_timeout(timeout->count()));
      return timeout;
    }
  }
  const milliseconds limit = options.max.value_or(manager);
  return limit.count() > 0 ? std::optional(limit) : std::nullopt;
}

}  // namespace weir::router
