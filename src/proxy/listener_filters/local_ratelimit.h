// local_ratelimit: a token bucket for new connections.
#pragma once

#include <chrono>
#include <string_view>
#include <weir/stats.h>

#include "filters/http/local_ratelimit/token_bucket.h"
#include "proxy/listener_filter.h"

namespace weir::proxy {

class ListenerRateLimit final : public ListenerFilter {
 public:
  /// `root` has names from the root.
  ListenerRateLimit(uint32_t max, uint32_t per_fill, std::chrono::nanoseconds interval,
                    std::string_view stat_prefix, StatsScope& root);
  InspectVerdict inspect(Inspection& at) const override;
  size_t max_bytes() const noexcept override { return 0; }

 private:
  mutable filters::TokenBucket bucket_;  // thread-safe
  Counter& limited_;
};

}  // namespace weir::proxy
