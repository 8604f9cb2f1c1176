// The destination of a connection before netfilter redirected it.
#pragma once

#include <optional>

#include "net/address.h"

namespace weir::net {

/// Asks the kernel's connection tracking (SO_ORIGINAL_DST). `local` is the socket's own address and says the family. Nothing if the
/// connection was not redirected, or nothing tracks it.
std::optional<Address> original_destination(int fd, const Address& local);

}  // namespace weir::net
