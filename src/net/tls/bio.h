// A BIO over SocketIo: no signal on a broken pipe, no system call that would only say "not yet".
#pragma once

#include "net/tls/openssl.h"

namespace weir::net::tls {

struct SocketIo;
/// One for all connections of the thread. Requires: use_socket() before each call that reads or writes by it.
BioPtr socket_bio();
/// Lets the thread's BIO, which `ssl` reads and writes by, refer to `io`.
void use_socket(SSL& ssl, SocketIo& io) noexcept;

}  // namespace weir::net::tls
