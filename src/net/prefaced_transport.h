// PrefacedTransport: bytes in clear before what another transport sends.
#pragma once

#include <memory>
#include <string>

#include "net/transport.h"

namespace weir::net {

/// Owner: its connection. Thread: the connection's. The other transport is not asked for anything before the socket has taken
/// the last byte of the preface.
class PrefacedTransport final : public Transport {
 public:
  /// Requires: `then` has a handshake to begin with, so that reading is asked for first.
  PrefacedTransport(std::string preface, std::unique_ptr<Transport> then)
      : preface_(std::move(preface)), then_(std::move(then)) {}

  IoResult read(int fd, Buffer& in, size_t max) override;
  IoResult write(int fd, Buffer& out) override;
  void end_writing(int fd) noexcept override;
  bool reading_needs_write() const noexcept override {
    return waits() || then_->reading_needs_write();
  }
  bool writing_needs_read() const noexcept override {
    return !waits() && then_->writing_needs_read();
  }
  bool has_buffered() const noexcept override { return !waits() && then_->has_buffered(); }
  std::string_view failure() const noexcept override { return then_->failure(); }
  Code failure_code() const noexcept override { return then_->failure_code(); }
  bool ready() const noexcept override { return !waits() && then_->ready(); }
  const TlsInfo* tls() const noexcept override { return then_->tls(); }
  std::shared_ptr<const TlsInfo> share_tls() const override { return then_->share_tls(); }

 private:
  bool waits() const noexcept { return sent_ < preface_.size(); }
  /// kOk: the whole preface is sent.
  IoStatus send_preface(int fd) noexcept;

  std::string preface_;
  size_t sent_ = 0;
  std::unique_ptr<Transport> then_;
};

}  // namespace weir::net
