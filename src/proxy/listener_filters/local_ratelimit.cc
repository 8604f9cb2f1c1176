#include "proxy/listener_filters/local_ratelimit.h"

#include "base/strings.h"

namespace weir::proxy {

ListenerRateLimit::ListenerRateLimit(uint32_t max, uint32_t per_fill,
                                     std::chrono::nanoseconds interval,
                                     std::string_view stat_prefix, StatsScope& root)
    : bucket_(max, per_fill, interval, std::chrono::steady_clock::now().time_since_epoch()),
      limited_(
          root.counter(base::concat("listener_local_ratelimit.", stat_prefix, ".rate_limited"))) {}

InspectVerdict ListenerRateLimit::inspect(Inspection& at) const {
  if (bucket_.take(at.loop.now().time_since_epoch())) return InspectVerdict::kDone;
  limited_.inc();
  at.why = "rate limited";
  return InspectVerdict::kClose;
}

}  // namespace weir::proxy
