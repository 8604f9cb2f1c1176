// TLS of a Peer: what a side shows, trusts and offers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/certs.h"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace weir::test {

struct TlsSide {
  CertificatePem certificate{};  // a server's, or a client's if it has one
  std::string ca{};   // PEM; the other side's certificate must be from it; empty: anybody
  std::string sni{};  // of a client
  std::vector<std::string>
      alpn{};           // of a client: offered; of a server: the first that is offered is taken
  int max_version = 0;  // TLS1_2_VERSION …; 0: any
  std::shared_ptr<ssl_session_st> session{};  // of a client: offered for resumption
};

/// Owner: its Peer.
class PeerTls {
 public:
  enum class Role : bool { kClient, kServer };
  /// Shakes hands on the blocking socket; throws with OpenSSL's words.
  PeerTls(int fd, Role role, const TlsSide& side);
  ~PeerTls();
  PeerTls(const PeerTls&) = delete;
  PeerTls& operator=(const PeerTls&) = delete;

  bool write(std::string_view bytes);
  /// Bytes read; 0 at the end, -1 on an error.
  long read(char* to, size_t size);
  bool pending() const;
  void say_goodbye();
  /// Sends a TLS 1.3 KeyUpdate; false when that fails.
  bool update_key();
  /// The end was announced (close_notify).
  bool ended_orderly() const;
  std::string alpn() const;
  std::string version() const;
  std::string peer_name() const;  // the first DNS name of its certificate
  bool resumed() const;
  std::shared_ptr<ssl_session_st> session() const;

 private:
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
  std::vector<std::string> alpn_;
};

}  // namespace weir::test
