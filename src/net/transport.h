// Transport: the seam between a Connection and its socket (TLS). A plain connection has none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/buffer.h>
#include <weir/connection_info.h>
#include <weir/result.h>

namespace weir::net {

namespace tls {
struct Stats;
}

enum class IoStatus : uint8_t {
  kOk,     // `bytes` were moved; there may be more
  kAgain,  // nothing more than `bytes` now: wait for readiness
  kEnd,    // reading: orderly end of stream
  kError,  // errno says why, or Transport::failure()
};
struct IoResult {
  IoStatus status = IoStatus::kAgain;
  size_t bytes = 0;
};

/// Owner: its connection. Thread: the connection's. Never waits.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Appends up to about `max` bytes to `in`.
  virtual IoResult read(int fd, Buffer& in, size_t max) = 0;
  /// Takes from the front of `out` what was sent.
  virtual IoResult write(int fd, Buffer& out) = 0;
  /// Says goodbye (close_notify) before the socket's write side is shut.
  virtual void end_writing(int fd) noexcept = 0;
  /// True while reading cannot go on before the socket is writable (a handshake).
  virtual bool reading_needs_write() const noexcept { return false; }
  /// True while writing cannot go on before more was read.
  virtual bool writing_needs_read() const noexcept { return false; }
  /// True if bytes may have been taken from the socket that read() has not given out.
  virtual bool has_buffered() const noexcept { return true; }
  /// Text of the last kError; empty: errno tells.
  virtual std::string_view failure() const noexcept = 0;
  /// Of use when failure() has a text.
  virtual Code failure_code() const noexcept { return Code::kReset; }
  /// False while a handshake is under way.
  virtual bool ready() const noexcept { return true; }
  /// Null without TLS; of use once ready().
  virtual const TlsInfo* tls() const noexcept { return nullptr; }
  /// The same for those who outlive the connection.
  virtual std::shared_ptr<const TlsInfo> share_tls() const { return nullptr; }
};

/// What a client's transport needs to know of the connection that it is made for.
struct TransportHints {
  std::string server_name{};        // SNI that wins over the configured one; empty: none
  std::string verify_name{};        // the certificate must be for this name; empty: as configured
  std::vector<std::string> alpn{};  // where the configuration names no protocols; empty: none
  std::string peer_name{};          // the endpoint's host name or IP address; empty: unknown
  std::shared_ptr<const tls::Stats> tls_stats{};  // null: nothing is counted
  const ConnectionInfo* downstream =
      nullptr;  // for an upstream PROXY protocol header; null: unknown
};

/// A certificate of the configuration, for people.
struct CertificateFacts {
  std::string path;    // the file, or "inline"
  std::string serial;  // hex
  std::vector<std::string> dns_names, uris, ip_addresses;
  int64_t valid_from = 0, valid_until = 0;  // seconds since the epoch
};

/// Makes transports by one configuration (and its certificates as they are now). Immutable, shared by all workers.
class TransportFactory {
 public:
  virtual ~TransportFactory() = default;
  virtual std::unique_ptr<Transport> make(const TransportHints& hints) const = 0;
  virtual bool secure() const noexcept = 0;
  /// What it shows to others, and what it trusts.
  virtual const std::vector<CertificateFacts>& certificates() const noexcept {
    static const std::vector<CertificateFacts> kNone;
    return kNone;
  }
  virtual std::vector<CertificateFacts> roots() const { return {}; }
  /// Stat names of what handshakes can agree on: "ciphers.X", "versions.Y".
  virtual std::vector<std::string> negotiable() const { return {}; }
};

}  // namespace weir::net
