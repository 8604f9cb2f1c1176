// Handshake: what OpenSSL's callbacks know of the connection that they are called for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/tls/openssl.h"
#include "net/tls/stats.h"

namespace weir::net::tls {

class SessionStore;

/// Owner: its transport, until the handshake is done, or as long as sessions may come. Thread: the connection's.
struct Handshake {
  std::shared_ptr<const Stats> stats{};
  std::string verify_name{};   // the certificate must be for this name or address; empty: any
  std::string session_name{};  // of a client: under which its sessions are kept
  std::string alpn{};          // of a server: its list in wire form; wins over the context's
  std::string problem{};       // why the other side's certificate is refused
  SessionStore* sessions = nullptr;

  /// Null for an SSL object that no transport owns, and when it is no longer there.
  static Handshake* of(const SSL* ssl) noexcept;
};

/// What the SSL object leads its callbacks to. Owner: its transport, for as long as that object.
struct Attached {
  std::unique_ptr<Handshake> handshake{};
  uint32_t key_updates = 0;  // that the other side has asked for

  void attach(SSL& ssl);
  static Attached* of(const SSL* ssl) noexcept;
};

/// Up to TLS 1.2 OpenSSL does not tell that a resumed session has got a new ticket. Requires: the handshake is done.
void remember_renewed(SSL& ssl, Handshake& handshake);

}  // namespace weir::net::tls
