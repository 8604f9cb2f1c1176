// original_dst: the address that a client meant before the kernel redirected it (iptables REDIRECT, or TPROXY).
#pragma once

#include "proxy/listener_filter.h"

namespace weir::proxy {

class OriginalDst final : public ListenerFilter {
 public:
  InspectVerdict inspect(Inspection& at) const override;
  size_t max_bytes() const noexcept override { return 0; }
};

}  // namespace weir::proxy
