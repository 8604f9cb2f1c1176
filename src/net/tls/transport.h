// TlsTransport: TLS of one connection, of either role.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/tls/context.h"
#include "net/tls/handshake.h"
#include "net/tls/info.h"
#include "net/tls/openssl.h"
#include "net/transport.h"

namespace weir::net::tls {

/// The socket as OpenSSL sees it, with what it must know of the last call.
struct SocketIo {
  int fd = -1;
  int error = 0;         // errno of what failed
  bool drained = false;  // the last read was short: asking again would only say so
  bool ended = false;    // the other side has sent FIN
  bool more = false;     // a further record follows at once
};

/// Owner: its connection. Thread: the connection's. The end of the stream without close_notify is an error. Records are small
/// at first and after a pause, so that the beginning can be read before much has arrived; then as large as they can be.
class TlsTransport final : public Transport, private TlsInfo {
 public:
  enum class Role : uint8_t { kServer, kClient };
  TlsTransport(SslPtr ssl, Role role, std::unique_ptr<Handshake> handshake,
               std::shared_ptr<const Context> context);
  ~TlsTransport() override;

  IoResult read(int fd, Buffer& in, size_t max) override;
  IoResult write(int fd, Buffer& out) override;
  void end_writing(int fd) noexcept override;
  bool reading_needs_write() const noexcept override { return read_wants_write_; }
  bool writing_needs_read() const noexcept override { return write_wants_read_; }
  bool has_buffered() const noexcept override {
    return held_back_ != IoStatus::kOk || SSL_has_pending(ssl_.get()) == 1;
  }
  std::string_view failure() const noexcept override {
    return failure_ ? std::string_view(*failure_) : std::string_view();
  }
  Code failure_code() const noexcept override { return failure_code_; }
  bool ready() const noexcept override { return ready_; }
  const TlsInfo* tls() const noexcept override { return ready_ ? this : nullptr; }
  std::shared_ptr<const TlsInfo> share_tls() const override { return ready_ ? details() : nullptr; }

 private:
  // TlsInfo: what OpenSSL has at hand is asked there, so that most connections need no copy.
  std::string_view text(TlsText what) const override;
  std::span<const std::string> names(TlsNames kind) const override {
    return details()->names(kind);
  }
  bool peer_presented() const noexcept override {
    return SSL_get0_peer_certificate(ssl_.get()) != nullptr;
  }
  bool peer_validated() const noexcept override { return tls::peer_validated(*ssl_); }
  int64_t peer_valid_from() const noexcept override { return details()->peer_valid_from(); }
  int64_t peer_valid_until() const noexcept override { return details()->peer_valid_until(); }
  bool session_reused() const noexcept override { return SSL_session_reused(ssl_.get()) == 1; }
  const std::shared_ptr<const TlsInfo>& details() const;

  IoStatus shake_hands();
  void shaken();
  void use(int fd) noexcept;
  std::string_view problem() const noexcept;
  IoStatus fail_from(int result, bool reading);
  IoStatus fail_with(Code code, std::string text);
  /// The first bytes of an answer go out in records of three segments: the first flight of a connection (RFC 6928: ten segments)
  /// can be read as it arrives. Afterwards the largest ones are the cheapest.
  static constexpr uint32_t kFirstRecord = 4200;
  static constexpr uint32_t kFirstFlight = 3 * kFirstRecord;
  size_t record_size() noexcept;

  SslPtr ssl_;
  Attached attached_;
  std::shared_ptr<const Context> context_;  // its verifier and keys are called back
  // In an order that leaves no gaps: there is one of these for each idle connection of an edge.
  SocketIo io_;
  uint32_t burst_ = 0;  // bytes sent since the last pause, at most kFirstFlight
  std::unique_ptr<const std::string> failure_;      // null: none
  mutable std::shared_ptr<const TlsInfo> details_;  // null: nobody has asked
  std::chrono::steady_clock::time_point last_write_{};
  uint64_t received_ = 0;
  uint32_t unfinished_ = 0;  // bytes of a record that the socket has not taken wholly
  Code failure_code_;
  IoStatus held_back_ = IoStatus::kOk;  // told by the next read, after the bytes before it
  bool ready_ : 1 = false;
  bool failed_ : 1 = false;
  bool write_failed_ : 1 = false;  // by the socket, after the handshake: reading goes on
  bool ended_ : 1 = false;         // close_notify sent
  bool read_wants_write_ : 1 = false;
  bool write_wants_read_ : 1 = false;
};

}  // namespace weir::net::tls
