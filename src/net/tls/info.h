// What a finished handshake says.
#pragma once

#include <memory>
#include <weir/connection_info.h>

#include "net/tls/openssl.h"

namespace weir::net::tls {

/// May outlive the connection. Requires: the handshake is done.
std::shared_ptr<const TlsInfo> make_info(SSL& ssl);

}  // namespace weir::net::tls
