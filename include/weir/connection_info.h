// ConnectionInfo: what is known of one downstream connection, for filters of both kinds, access logs and properties.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <weir/address_text.h>

namespace weir {

/// Texts of a finished TLS handshake. "Peer" is the other side's certificate, "local" ours.
enum class TlsText : uint8_t {
  kVersion,               // "TLSv1.3"
  kCipher,                // "TLS_AES_128_GCM_SHA256" (OpenSSL's name)
  kAlpn,                  // "h2"; empty: none was agreed on
  kServerName,            // SNI
  kSessionId,             // hex; empty for TLS 1.3
  kSubjectPeer,           // RFC 2253
  kSubjectLocal,          // RFC 2253
  kIssuerPeer,            // RFC 2253
  kSerialPeer,            // hex, lower case
  kSha256Peer,            // hex of the certificate's digest
  kSha1Peer,              // hex of the certificate's digest
  kCertificatePeer,       // PEM, URL-encoded
  kCertificateChainPeer,  // PEM of leaf and chain, URL-encoded
  kValidFromPeer,         // "2026-11-21T00:00:00.000Z"
  kValidUntilPeer,
};
inline constexpr size_t kTlsTexts = static_cast<size_t>(TlsText::kValidUntilPeer) + 1;
enum class TlsNames : uint8_t {
  kDnsPeer,
  kUriPeer,
  kEmailPeer,
  kIpPeer,
  kDnsLocal,
  kUriLocal,
  kEmailLocal,
  kIpLocal
};
inline constexpr size_t kTlsNameKinds = static_cast<size_t>(TlsNames::kIpLocal) + 1;

/// Facts of one side of a TLS connection. Owner: its transport. Thread: the connection's. Computed when they are asked for;
/// the views live as long as the transport.
class TlsInfo {
 public:
  virtual ~TlsInfo() = default;
  virtual std::string_view text(TlsText what) const = 0;
  /// Subject alternative names of a kind.
  virtual std::span<const std::string> names(TlsNames kind) const = 0;
  /// The other side has shown a certificate / one that the configuration accepts as verified.
  virtual bool peer_presented() const noexcept = 0;
  virtual bool peer_validated() const noexcept = 0;
  /// Seconds since the epoch; 0: no certificate.
  virtual int64_t peer_valid_from() const noexcept = 0;
  virtual int64_t peer_valid_until() const noexcept = 0;
  virtual bool session_reused() const noexcept = 0;
};

class Metadata;

/// What few connections have.
struct ConnectionExtras {
  std::vector<std::string> application_protocols;  // ALPN offered, or what http_inspector has found
  std::string direct_remote_address;               // the socket's peer, if that is not the client
  std::string transport_failure_reason;
  std::string termination_details;
  std::map<std::string, std::string, std::less<>>
      filter_state;  // of the connection, shared by its streams
  /// TLVs of the client's PROXY protocol header that upstreams may be told, as on the wire; below 64 KiB.
  std::string proxy_tlvs;
  std::shared_ptr<const Metadata> listener_metadata;  // null: the configuration has none
};

/// Owner: the connection's session. Thread: its loop's. Listener filters fill it, network filters read it and may write filter
/// state, streams point to it. Texts of addresses are "ip:port", "[ip]:port" or a path.
struct ConnectionInfo {
  uint64_t id = 0;
  std::chrono::system_clock::time_point start_time{};
  std::string remote_address;  // the client's: after a PROXY protocol header, what that says
  std::string local_address;   // after original_dst or a PROXY protocol header, what they say
  bool local_address_restored = false;
  uint32_t flags = 0;                   // ResponseFlag bits
  std::string requested_server_name;    // SNI, by the inspector or the handshake
  std::string_view transport_protocol;  // "raw_buffer" or "tls"; empty: not detected
  std::string_view listener_name;       // these live as long as the connection
  std::string_view filter_chain_name;
  const TlsInfo* tls = nullptr;  // null: no TLS, or the handshake has not ended
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;

  /// The client's IP alone; empty for Unix sockets. Valid as long as remote_address.
  std::string_view remote_ip() const noexcept { return ip_of(remote_address); }
  const std::string& direct_remote_address() const noexcept {
    const std::string& own = extras().direct_remote_address;
    return own.empty() ? remote_address : own;
  }
  const ConnectionExtras& extras() const noexcept {
    static const ConnectionExtras none;
    return extras_ == nullptr ? none : *extras_;
  }
  /// To write them.
  ConnectionExtras& own_extras() {
    if (extras_ == nullptr) extras_ = std::make_unique<ConnectionExtras>();
    return *extras_;
  }
  /// Expires when the connection has ended.
  std::weak_ptr<const void> presence() const {
    if (presence_ == nullptr) presence_ = std::make_shared<const char>();
    return presence_;
  }

 private:
  std::unique_ptr<ConnectionExtras> extras_;
  mutable std::shared_ptr<const void> presence_;  // null until somebody wants to know
};

}  // namespace weir
