#include "proxy/listener_filters/original_dst.h"

#include "net/original_dst.h"

namespace weir::proxy {

InspectVerdict OriginalDst::inspect(Inspection& at) const {
  const auto original = net::original_destination(at.fd, at.local);
  if (!original || *original == at.local) return InspectVerdict::kDone;
  at.local = *original;
  at.info.local_address_restored = true;
  return InspectVerdict::kDone;
}

}  // namespace weir::proxy
