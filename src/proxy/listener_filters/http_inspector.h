// http_inspector: whether a plain connection speaks HTTP, and which version.
#pragma once

#include <weir/stats.h>

#include "proxy/listener_filter.h"

namespace weir::proxy {

class HttpInspector final : public ListenerFilter {
 public:
  /// `scope` is the listener's.
  explicit HttpInspector(StatsScope& scope);
  InspectVerdict inspect(Inspection& at) const override;
  size_t max_bytes() const noexcept override { return size_t{64} * 1024; }

 private:
  Counter &http10_, &http11_, &http2_, &none_;
};

}  // namespace weir::proxy
