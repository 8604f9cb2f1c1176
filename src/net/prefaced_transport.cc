#include "net/prefaced_transport.h"

#include <sys/socket.h>

#include <cerrno>

namespace weir::net {

IoStatus PrefacedTransport::send_preface(int fd) noexcept {
  while (waits()) {
    const ssize_t n = ::send(fd, preface_.data() + sent_, preface_.size() - sent_, MSG_NOSIGNAL);
    if (n >= 0)
      sent_ += static_cast<size_t>(n);
    else if (errno != EINTR)
      return errno == EAGAIN || errno == EWOULDBLOCK ? IoStatus::kAgain : IoStatus::kError;
  }
  return IoStatus::kOk;
}

IoResult PrefacedTransport::read(int fd, Buffer& in, size_t max) {
  if (const IoStatus sent = send_preface(fd); sent != IoStatus::kOk) return {sent, 0};
  return then_->read(fd, in, max);
}

IoResult PrefacedTransport::write(int fd, Buffer& out) {
  if (const IoStatus sent = send_preface(fd); sent != IoStatus::kOk) return {sent, 0};
  return then_->write(fd, out);
}

void PrefacedTransport::end_writing(int fd) noexcept {
  // Nothing of the other protocol has begun that could be ended.
  if (!waits()) then_->end_writing(fd);
}

}  // namespace weir::net
