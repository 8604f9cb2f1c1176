// How a connection begins and ends; what it does in between stands in connection.cc.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "net/connection.h"

namespace weir::net {

namespace {

using event::FdWatch;
using std::chrono::milliseconds;

// Reads after a failed write: what the other side said before it hung up, within reason.
constexpr int kMaxLastReads = 64;

std::atomic<uint64_t> next_id{1};

void set_option(int fd, int level, int name, int value) noexcept {
  // Fails on Unix sockets and on sockets that are dead already; either shows elsewhere.
  static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
}

void reset_at_close(int fd) noexcept {
  const linger option{1, 0};
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option));
}

}  // namespace

// --- beginning -------------------------------------------------------------------------------------------

Connection::Connection(event::Loop& loop, int fd, const Address& remote,
                       const ConnectionOptions& options)
    : loop_(loop),
      remote_(remote),
      options_(options),
      id_(next_id.fetch_add(1, std::memory_order_relaxed)),
      fd_(fd),
      watch_(loop, &Connection::on_event, this),
      end_of_turn_(loop, &Connection::on_end_of_turn, this),
      read_size_(
          std::clamp(options.read_chunk, Buffer::kBlockSize, kMaxReadBlocks * Buffer::kBlockSize)) {
  watch_.attach(fd);
  apply_options();
}

Connection::~Connection() { close(); }

void Connection::apply_options() {
  if (remote_.is_unix()) return;
  if (options_.no_delay) set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options_.keepalive_time_s == 0 && options_.keepalive_interval_s == 0 &&
      options_.keepalive_probes == 0)
    return;
  set_option(fd_, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (options_.keepalive_time_s > 0)
    set_option(fd_, IPPROTO_TCP, TCP_KEEPIDLE, options_.keepalive_time_s);
  if (options_.keepalive_interval_s > 0)
    set_option(fd_, IPPROTO_TCP, TCP_KEEPINTVL, options_.keepalive_interval_s);
  if (options_.keepalive_probes > 0)
    set_option(fd_, IPPROTO_TCP, TCP_KEEPCNT, options_.keepalive_probes);
}

std::unique_ptr<Connection> Connection::accepted(event::Loop& loop, int fd, const Address& remote,
                                                 const ConnectionOptions& options) {
  return std::unique_ptr<Connection>(new Connection(loop, fd, remote, options));
}

Result<std::unique_ptr<Connection>> Connection::connect(event::Loop& loop, const Address& to,
                                                        milliseconds timeout,
                                                        const ConnectionOptions& options,
                                                        const ConnectPlan& plan) {
  ConnectPlan rest = plan;
  const Address* target = &to;
  int error = 0;
  int fd = begin_connect(*target, plan, error);
  // An address that cannot even be tried costs no head start.
  while (fd >= 0 && error != 0 && error != EINPROGRESS && !rest.more.empty()) {
    ::close(fd);
    target = &rest.more.front();
    rest.more = rest.more.subspan(1);
    fd = begin_connect(*target, plan, error);
  }
  if (fd < 0) {
    const Code code = error == EMFILE || error == ENFILE ? Code::kExhausted : Code::kSystem;
    return fail(code, Side::kUpstream, base::concat("socket: ", std::strerror(error)));
  }
  std::unique_ptr<Connection> connection(new Connection(loop, fd, *target, options));
  connection->side_ = Side::kUpstream;
  connection->connecting_ = true;
  connection->started_ = true;
  if (error == 0) {
    connection->end_of_turn_.schedule();  // established at once (Unix sockets): said by the loop
  } else if (error == EINPROGRESS) {
    connection->watch_.want(FdWatch::kWrite);
    if (timeout > milliseconds(0)) connection->arm_timer(timeout);
    if (!rest.more.empty())
      connection->race_ = std::make_unique<ConnectRace>(*connection, loop, rest);
  } else {
    connection->fail_later(Code::kConnectFailed, error, "connect");
  }
  return connection;
}

void Connection::finish_connect() {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return connected();
  if (race_ && race_->replace_failed()) return;
  fail_later(Code::kConnectFailed, error, "connect");
}

void Connection::take_socket(int fd, const Address& remote, Taken state) {
  watch_.disarm();
  ::close(fd_);
  fd_ = fd;
  remote_ = remote;
  watch_.attach(fd);
  apply_options();
  if (state == Taken::kConnected) return connected();
  watch_.want(FdWatch::kWrite);
}

void Connection::connected() {
  race_.reset();
  connecting_ = false;
  // The timer goes on: it covers both.
  if (handshaking_) return read_transport();
  timer_.release();
  update_watch();
  if (sink_ != nullptr) sink_->on_connected();
  if (fd_ >= 0 && (!out_.empty() || half_close_due_ || closing_)) end_of_turn_.schedule();
}

void Connection::start() {
  started_ = true;
  update_watch();
}

Address Connection::local() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (fd_ < 0 || ::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size);
}

// --- ending ----------------------------------------------------------------------------------------------

void Connection::close_gracefully(milliseconds linger) {
  if (fd_ < 0 || closing_) return;
  closing_ = true;
  linger_ = linger;
  if (connecting_ || handshaking_ || error_due()) {
    // There is nobody to linger for.
    linger_ = milliseconds(0);
    out_.clear();
    connecting_ = false;
  }
  in_.clear();
  arrived_ = false;
  started_ = true;
  arm_timer(linger_ > milliseconds(0) ? linger_ : kFlushPatience);
  end_of_turn_.schedule();
}

void Connection::finish_closing() {
  ConnectionSink* sink = sink_;
  close();
  if (sink != nullptr) sink->on_error(Error{Code::kClosed, Side::kLocal, "closed"});
}

void Connection::cut(How how, Error error) {
  if (fd_ < 0 || error_due()) return;
  fail_later(error.code, 0, {});
  pending_error_ = std::make_unique<const Error>(std::move(error));
  started_ = false;  // what still arrives is for nobody
  if (how == How::kReset) reset_at_close(fd_);
}

void Connection::close(How how) noexcept {
  if (fd_ < 0) return;
  if (how == How::kFin && transport_ != nullptr && !connecting_ && !error_due() && !write_ended_ &&
      out_.empty())
    transport_->end_writing(fd_);
  if (how == How::kReset) reset_at_close(fd_);
  watch_.disarm();
  race_.reset();
  timer_.cancel();
  ::close(std::exchange(fd_, -1));
  in_.clear();
  out_.clear();
  pending_error_.reset();
  offer_due_ = arrived_ = half_close_due_ = connecting_ = write_wait_ = false;
}

// Errors are kept until the loop can report them with nobody's call on the stack.
void Connection::fail_later(Code code, int error, std::string_view what) {
  if (error_due()) return;
  std::string detail;
  if (transport_ != nullptr && !transport_->failure().empty()) {
    code = transport_->failure_code();
    detail = transport_->failure();
  } else {
    detail = base::concat(what, ": ", std::strerror(error));
  }
  pending_error_ = std::make_unique<const Error>(Error{code, side_, std::move(detail)});
  write_wait_ = false;
  half_close_due_ = false;
  out_.clear();
  // A broken socket is always ready: watching it on would spin.
  watch_.want(0);
  race_.reset();
  timer_.cancel();
  end_of_turn_.schedule();
}

void Connection::deliver_error() {
  // The other side may have answered before it hung up (an early error response to an upload): that is heard first.
  if (started_ && !connecting_ && !handshaking_ && !closing_) {
    if (arrived_ && read_holds_ == 0) deliver();
    for (int i = 0; i < kMaxLastReads && fd_ >= 0 && read_holds_ == 0 && !read_ended_; ++i) {
      size_t asked = 0;
      const IoResult got = read_some(asked);
      if (got.bytes > 0) deliver();
      if (got.status != IoStatus::kOk) break;
    }
  }
  if (fd_ < 0) return;                  // closed by its owner meanwhile
  const Error error = *pending_error_;  // close() must still see that it is due
  ConnectionSink* sink = sink_;
  close();
  if (sink != nullptr) sink->on_error(error);
}

bool Connection::still_alive() const noexcept {
  if (fd_ < 0 || error_due() || read_ended_ || !in_.empty()) return false;
  char byte = 0;
  const ssize_t n = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace weir::net
