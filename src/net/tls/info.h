// What a finished handshake says.
#pragma once

#include <memory>
#include <string_view>
#include <weir/connection_info.h>

#include "net/tls/openssl.h"

namespace weir::net::tls {

// All require that the handshake is done.

/// What OpenSSL has at hand: version, cipher, ALPN and the server's name; of others nothing. Lives as long as `ssl`.
std::string_view text_at_hand(const SSL& ssl, TlsText what) noexcept;
bool peer_validated(const SSL& ssl) noexcept;

/// Everything; may outlive the connection.
std::shared_ptr<const TlsInfo> make_info(SSL& ssl);

}  // namespace weir::net::tls
