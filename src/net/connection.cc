// What a connection does while it lives: reading, writing, the loop's calls. How it begins and ends: connection_life.cc.
#include "net/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace weir::net {

namespace {

using event::FdWatch;
using std::chrono::milliseconds;

constexpr size_t kMaxWriteSlices = 32;
// So many connections with something to do: what has arrived is handled before more is read.
constexpr size_t kMaxArrived = 64;
// Short reads in a row before the next ones ask for less.
constexpr unsigned kShortReads = 4;
// So much read at once is written on before other sockets are read: 32 of these are more than a cache holds.
constexpr size_t kBulk = 16384;

Code code_of(int error) noexcept {
  return error == ECONNRESET || error == EPIPE ? Code::kReset
         : error == ETIMEDOUT                  ? Code::kTimeout
                                               : Code::kSystem;
}

}  // namespace

// --- reading ---------------------------------------------------------------------------------------------

bool Connection::wants_read() const noexcept {
  return started_ && !connecting_ && !read_ended_ &&
         (read_holds_ == 0 || handshaking_ || (closing_ && write_ended_));
}

void Connection::update_watch() {
  if (fd_ < 0) return;
  const unsigned read = wants_read() ? FdWatch::kRead : 0;
  const bool handshake = transport_ != nullptr && transport_->reading_needs_write();
  watch_.want(read | (write_wait_ || connecting_ || handshake ? FdWatch::kWrite : 0));
}

void Connection::hold_reading() noexcept {
  // The watch stays until bytes really arrive: most holds are over before.
  ++read_holds_;
}

void Connection::release_reading() {
  WEIR_CHECK(read_holds_ > 0);
  if (--read_holds_ > 0) return;
  update_watch();
  if (arrived_) end_of_turn_.schedule();
  if (transport_ != nullptr && transport_->has_buffered()) {
    read_due_ = true;
    end_of_turn_.schedule();
  }
}

void Connection::offer_again() {
  offer_due_ = true;
  end_of_turn_.schedule();
}

IoResult Connection::read_some(size_t& asked) {
  asked = read_size_;
  Buffer& in = filtered_ == nullptr ? in_ : filtered_->raw;
  if (transport_ != nullptr) return transport_->read(fd_, in, read_size_);
  std::array<iovec, kMaxReadBlocks> parts;
  const size_t blocks = read_size_ / Buffer::kBlockSize;
  const size_t count = in.scatter(std::span(parts).first(blocks), SIZE_MAX);
  asked = 0;
  for (size_t i = 0; i < count; ++i) asked += parts[i].iov_len;
  ssize_t n = 0;
  do {
    n = count == 1 ? ::recv(fd_, parts[0].iov_base, parts[0].iov_len, 0)
                   : ::readv(fd_, parts.data(), static_cast<int>(count));
  } while (n < 0 && errno == EINTR);
  const int error = errno;
  in.commit_scatter(n > 0 ? static_cast<size_t>(n) : 0);
  errno = error;
  if (n > 0) return {IoStatus::kOk, static_cast<size_t>(n)};
  if (n == 0) return {IoStatus::kEnd, 0};
  return {error == EAGAIN || error == EWOULDBLOCK ? IoStatus::kAgain : IoStatus::kError, 0};
}

// Bulk data gets larger reads, chatter smaller ones again. The short rest of a message says nothing yet: a size that shrinks
// with it cuts the next message in two.
void Connection::adapt_read_size(size_t got, size_t asked) noexcept {
  if (got * 4 >= asked) {
    short_reads_ = 0;
    if (got < asked) return;
    const size_t most = std::min(8 * options_.read_chunk, kMaxReadBlocks * Buffer::kBlockSize);
    read_size_ = std::min(read_size_ * 2, std::max(most, read_size_));
  } else if (read_size_ > Buffer::kBlockSize && ++short_reads_ >= kShortReads) {
    short_reads_ = 0;
    read_size_ = std::max(read_size_ / 2, Buffer::kBlockSize);
  }
}

void Connection::on_readable() {
  if (closing_) return discard_input();
  if (!wants_read()) return update_watch();  // held: unwatched only now
  if (transport_ != nullptr) return read_transport();
  size_t asked = 0;
  const IoResult result = read_some(asked);
  switch (result.status) {
    case IoStatus::kOk:
      adapt_read_size(result.bytes, asked);
      if (result.bytes < kBulk) return deliver_after_reads();
      loop_.hasten_end_of_turn();
      deliver();
      return;
    case IoStatus::kAgain:
      return;
    case IoStatus::kEnd:
      read_ended_ = true;
      update_watch();
      deliver();
      return;
    case IoStatus::kError:
      fail_later(code_of(errno), errno, "read");
      return;
  }
}

// A transport may hold bytes that no readiness event announces, and writing may have waited for what was read: it is asked
// until it has nothing more.
void Connection::read_transport() {
  while (fd_ >= 0 && !closing_ && !error_due() && wants_read()) {
    size_t asked = 0;
    const IoResult got = read_some(asked);
    if (got.status == IoStatus::kError) return fail_later(code_of(errno), errno, "read");
    if (handshaking_ && !finish_handshake()) break;
    if (got.bytes > 0) adapt_read_size(got.bytes, asked);
    if (got.status == IoStatus::kAgain && got.bytes < kBulk) {
      if (got.bytes > 0) deliver_after_reads();
      break;
    }
    read_ended_ = got.status == IoStatus::kEnd;
    if (got.bytes == 0 && !read_ended_) continue;
    if (got.bytes >= kBulk) loop_.hasten_end_of_turn();
    deliver();
    if (got.status == IoStatus::kAgain) break;
  }
  update_watch();
  if (fd_ >= 0 && !out_.empty() && !write_wait_) end_of_turn_.schedule();
}

bool Connection::finish_handshake() {
  if (!transport_->ready()) return false;
  handshaking_ = false;
  timer_.release();
  if (sink_ != nullptr) {
    if (side_ == Side::kUpstream) {
      sink_->on_connected();
    } else {
      sink_->on_secured();
    }
  }
  if (fd_ >= 0 && (!out_.empty() || half_close_due_ || closing_)) end_of_turn_.schedule();
  return fd_ >= 0 && !closing_;
}

// Small messages are handled when all ready sockets have been read: code that runs for one after the other stays in the
// processor's caches, which a system call in between empties. Blocks in use are bounded.
void Connection::deliver_after_reads() {
  arrived_ = true;
  end_of_turn_.schedule();
  if (loop_.end_of_turn_backlog() >= kMaxArrived) loop_.hasten_end_of_turn();
}

void Connection::deliver() {
  arrived_ = false;
  ReadEnd end = ReadEnd::kNo;
  if (read_ended_ && !end_delivered_) {
    end = ReadEnd::kYes;
    end_delivered_ = true;
  }
  if (filtered_ != nullptr) return deliver_filtered(end);
  if (sink_ != nullptr) sink_->on_data(in_, end);
}

// Gracefully closing: what still comes is read and forgotten, so that the close sends no reset.
void Connection::discard_input() {
  if (read_ended_) return update_watch();
  size_t asked = 0;
  const IoResult result = read_some(asked);
  in_.clear();
  if (filtered_ != nullptr) filtered_->raw.clear();
  if (result.status == IoStatus::kEnd || result.status == IoStatus::kError) {
    read_ended_ = true;
    update_watch();
    if (write_ended_ || result.status == IoStatus::kError) finish_closing();
  }
}

// --- writing ---------------------------------------------------------------------------------------------

void Connection::write(Buffer&& data) {
  out_.append(std::move(data));
  written();
}

void Connection::written() {
  if (fd_ < 0 || error_due() || write_ended_) {
    out_.clear();
    return;
  }
  // While the socket takes nothing there is nothing to send, but the writer must learn of the high watermark.
  const bool over =
      !above_high_ && options_.buffer_limit > 0 && out_.size() > options_.buffer_limit;
  if ((!write_wait_ && !connecting_) || over) end_of_turn_.schedule();
}

void Connection::flush() {
  if (fd_ >= 0 && !connecting_ && !write_wait_) send_pending();
  // Its consequences for the owner are told by the loop.
  end_of_turn_.schedule();
}

IoResult Connection::write_some() {
  if (transport_ != nullptr) return transport_->write(fd_, out_);
  std::array<iovec, kMaxWriteSlices> parts;
  const size_t count = out_.gather(parts);
  size_t asked = 0;
  for (size_t i = 0; i < count; ++i) asked += parts[i].iov_len;
  ssize_t n = 0;
  do {
    if (count == 1) {
      n = ::send(fd_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = count;
      n = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    }
  } while (n < 0 && errno == EINTR);
  if (n < 0)
    return {errno == EAGAIN || errno == EWOULDBLOCK ? IoStatus::kAgain : IoStatus::kError, 0};
  out_.drain(static_cast<size_t>(n));
  // A short write means that the socket's buffer is full: asking again would only say so.
  return {static_cast<size_t>(n) < asked ? IoStatus::kAgain : IoStatus::kOk,
          static_cast<size_t>(n)};
}

void Connection::send_pending() {
  if (handshaking_ && !closing_) return update_watch();
  bool progress = false;
  write_wait_ = false;
  if (filtered_ != nullptr) {
    filter_output();
    if (fd_ < 0 || error_due()) return;
  }
  while (!out_.empty()) {
    const IoResult result = write_some();
    progress |= result.bytes > 0;
    if (result.status == IoStatus::kOk) continue;
    if (result.status == IoStatus::kAgain) {
      write_wait_ = transport_ == nullptr || !transport_->writing_needs_read();
      break;
    }
    return fail_later(code_of(errno), errno, "write");
  }
  if (filtered_ != nullptr) filtered_->seen = out_.size();
  const bool end_due = (half_close_due_ || closing_) && !write_ended_;
  if (end_due && out_.empty() && (filtered_ == nullptr || filtered_->out_ended)) {
    write_ended_ = true;
    half_close_due_ = false;
    drain_due_ |= closing_;
    if (transport_ != nullptr) transport_->end_writing(fd_);
    static_cast<void>(::shutdown(fd_, SHUT_WR));
    if (closing_) arm_timer(linger_);
  } else if (closing_ && progress) {
    arm_timer(linger_ > milliseconds(0) ? linger_ : kFlushPatience);
  }
  update_watch();
}

// Tells the owner what sending has changed. Each call may close or free what the next needs, so fd_ is looked
// at again; the object itself lives until the turn is over.
void Connection::report_progress() {
  const size_t limit = options_.buffer_limit;
  if (!above_high_ && limit > 0 && out_.size() > limit) {
    above_high_ = true;
    drain_due_ = true;
    if (filtered_ != nullptr) filtered_->filter.on_bytes_blocked();
    if (sink_ != nullptr && !closing_) sink_->on_write_blocked();
  } else if (above_high_ && out_.size() <= limit / 2) {
    above_high_ = false;
    if (filtered_ != nullptr) filtered_->filter.on_bytes_resumed();
    if (sink_ != nullptr && !closing_) sink_->on_write_resumed();
  }
  if (fd_ >= 0 && drain_due_ && out_.empty()) {
    drain_due_ = false;
    if (sink_ != nullptr) sink_->on_drained();
  }
  // Nothing more can come: either the other side is done too, or nobody waits for it.
  if (fd_ >= 0 && closing_ && write_ended_ && (read_ended_ || linger_ <= milliseconds(0)))
    finish_closing();
}

void Connection::on_writable() {
  if (connecting_) return finish_connect();
  if (handshaking_ && !closing_) return read_transport();
  if (transport_ != nullptr && transport_->reading_needs_write()) on_readable();
  if (fd_ < 0 || error_due()) return;
  send_pending();
  if (!error_due()) report_progress();
}

void Connection::half_close() {
  if (fd_ < 0 || write_ended_) return;
  half_close_due_ = true;
  if (!write_wait_ && !connecting_) end_of_turn_.schedule();
}

// --- calls from the loop -----------------------------------------------------------------------------------

void Connection::on_event(void* self, unsigned events) noexcept {
  auto& connection = *static_cast<Connection*>(self);
  if ((events & FdWatch::kWrite) != 0) return connection.on_writable();
  connection.on_readable();
}

void Connection::on_end_of_turn(void* self) noexcept {
  auto& c = *static_cast<Connection*>(self);
  if (c.fd_ < 0) return;
  if (c.error_due()) return c.deliver_error();
  if (c.connecting_) {
    if ((c.watch_.wanted() & FdWatch::kWrite) == 0) c.finish_connect();
    return;
  }
  // Before anything is sent: what arrived is older, and its receiver must be able to tell (an idle upstream connection that
  // speaks unasked). What it makes the receiver write is sent after the others' deliveries.
  if (c.arrived_ && c.read_holds_ == 0) {
    c.deliver();
    if (c.fd_ < 0 || c.end_of_turn_.scheduled()) return;
  }
  if (!c.write_wait_) c.send_pending();
  if (c.error_due()) return;  // send_pending() has scheduled its report
  c.report_progress();
  if (std::exchange(c.read_due_, false) && c.fd_ >= 0) c.on_readable();
  if (std::exchange(c.offer_due_, false) && c.fd_ >= 0 && !c.closing_) c.deliver();
}

void Connection::on_timer(void* self) noexcept {
  auto& c = *static_cast<Connection*>(self);
  if (c.fd_ < 0) return;
  if (c.closing_) return c.finish_closing();
  if (c.connecting_) c.fail_later(Code::kConnectTimeout, ETIMEDOUT, "connect");
  if (c.handshaking_) c.fail_later(Code::kConnectTimeout, ETIMEDOUT, "TLS handshake");
}

}  // namespace weir::net
