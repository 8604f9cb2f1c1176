// A BIO over SocketIo: no signal on a broken pipe, no system call that would only say "not yet".
#pragma once

#include "net/tls/openssl.h"

namespace weir::net::tls {

struct SocketIo;
/// The BIO refers to `io`.
BioPtr socket_bio(SocketIo& io);

}  // namespace weir::net::tls
