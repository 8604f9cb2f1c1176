// TlsTransport: TLS of one connection, of either role.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "net/tls/context.h"
#include "net/tls/handshake.h"
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
class TlsTransport final : public Transport {
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
  const TlsInfo* tls() const noexcept override { return info_.get(); }
  std::shared_ptr<const TlsInfo> share_tls() const override { return info_; }

 private:
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
  SocketIo io_;
  std::unique_ptr<const std::string> failure_;  // null: none
  std::shared_ptr<const TlsInfo> info_;         // null until the handshake is done
  std::chrono::steady_clock::time_point last_write_{};
  uint32_t burst_ = 0;       // bytes sent since the last pause, at most kFirstFlight
  uint32_t unfinished_ = 0;  // bytes of a record that the socket has not taken wholly
  uint64_t received_ = 0;
  Code failure_code_;
  IoStatus held_back_ = IoStatus::kOk;  // told by the next read, after the bytes before it
  bool ready_ = false;
  bool failed_ = false;
  bool ended_ = false;  // close_notify sent
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
};

}  // namespace weir::net::tls
