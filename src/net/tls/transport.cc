#include "net/tls/transport.h"

#include <openssl/err.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "net/tls/bio.h"

namespace weir::net::tls {
namespace {

using std::chrono::steady_clock;

constexpr size_t kLargestRecord = 16384;
constexpr std::chrono::seconds kPause{1};
// A head before its body shares the body's first record, so that it costs neither a record nor a system call of its own.
constexpr size_t kSmallPiece = 1024;
// More of them without data serve nobody but an attacker; a megabyte earns one more.
constexpr uint64_t kMaxKeyUpdates = 32;
constexpr uint64_t kDataPerKeyUpdate = 1u << 20;

}  // namespace

TlsTransport::TlsTransport(SslPtr ssl, Role role, std::unique_ptr<Handshake> handshake,
                           std::shared_ptr<const Context> context)
    : ssl_(std::move(ssl)),
      attached_{std::move(handshake)},
      context_(std::move(context)),
      failure_code_(Code::kTls) {
  BIO* bio = socket_bio().release();
  SSL_set_bio(ssl_.get(), bio, bio);
  attached_.attach(*ssl_);
  if (role == Role::kServer) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

TlsTransport::~TlsTransport() {
  // A connection that was cut after its handshake says nothing against its session.
  if (ready_ && !failed_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

IoStatus TlsTransport::fail_with(Code code, std::string text) {
  failed_ = true;
  failure_code_ = code;
  if (failure_ == nullptr) failure_ = std::make_unique<const std::string>(std::move(text));
  ERR_clear_error();
  read_wants_write_ = write_wants_read_ = false;
  return IoStatus::kError;
}

/// What became of a call that did not succeed.
IoStatus TlsTransport::fail_from(int result, bool reading) {
  if (failed_) return IoStatus::kError;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      if (reading)
        read_wants_write_ = false;
      else
        write_wants_read_ = true;
      return IoStatus::kAgain;
    case SSL_ERROR_WANT_WRITE:
      if (reading)
        read_wants_write_ = true;
      else
        write_wants_read_ = false;
      return IoStatus::kAgain;
    case SSL_ERROR_ZERO_RETURN:
      return IoStatus::kEnd;
    default:
      break;
  }
  if (const int error = std::exchange(io_.error, 0); error != 0) {
    const Code code = error == ECONNRESET || error == EPIPE ? Code::kReset : Code::kSystem;
    const IoStatus status =
        fail_with(code, base::concat(reading ? "read: " : "write: ", std::strerror(error)));
    // What the other side has said before it stopped to listen can still be read (an early answer to an upload).
    if (ready_ && !reading) {
      failed_ = false;
      write_failed_ = true;
    }
    return status;
  }
  if (io_.ended)
    return fail_with(ready_ ? Code::kClosed : Code::kTls,
                     ready_ ? "the connection was cut without close_notify"
                            : "the connection was closed during the TLS handshake");
  return fail_with(Code::kTls, failure_text(problem()));
}

std::string_view TlsTransport::problem() const noexcept {
  return attached_.handshake ? std::string_view(attached_.handshake->problem) : std::string_view();
}

void TlsTransport::use(int fd) noexcept {
  io_.fd = fd;
  use_socket(*ssl_, io_);
}

IoStatus TlsTransport::shake_hands() {
  if (failed_) return IoStatus::kError;
  ERR_clear_error();
  io_.drained = false;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    shaken();
    return IoStatus::kOk;
  }
  const IoStatus status = fail_from(result, true);
  if (status == IoStatus::kAgain) return status;
  const Stats* stats = attached_.handshake->stats.get();
  if (stats != nullptr) {
    if (failure().find("peer did not return a certificate") != std::string::npos)
      stats->fail_verify_no_cert.inc();
    else if (failure_code_ == Code::kTls && SSL_get_verify_result(ssl_.get()) == X509_V_OK)
      stats->connection_error.inc();  // a certificate's fault has been counted
  }
  return status == IoStatus::kEnd
             ? fail_with(Code::kTls, "the connection was closed during the TLS handshake")
             : status;
}

void TlsTransport::shaken() {
  ready_ = true;
  read_wants_write_ = write_wants_read_ = false;
  Handshake& handshake = *attached_.handshake;
  handshake.problem.clear();  // of a certificate that was let in all the same
  if (session_reused()) remember_renewed(*ssl_, handshake);
  const std::shared_ptr<const Stats> stats = handshake.stats;
  if (handshake.sessions == nullptr) attached_.handshake.reset();
  if (stats == nullptr) return;
  stats->handshake.inc();
  if (session_reused()) stats->session_reused.inc();
  if (!peer_presented()) stats->no_certificate.inc();
  stats->count("ciphers.", text(TlsText::kCipher));
  stats->count("versions.", text(TlsText::kVersion));
}

std::string_view TlsTransport::text(TlsText what) const {
  switch (what) {
    case TlsText::kVersion:
    case TlsText::kCipher:
    case TlsText::kAlpn:
    case TlsText::kServerName:
      return text_at_hand(*ssl_, what);
    default:
      return details()->text(what);
  }
}

const std::shared_ptr<const TlsInfo>& TlsTransport::details() const {
  if (details_ == nullptr) details_ = make_info(*ssl_);
  return details_;
}

IoResult TlsTransport::read(int fd, Buffer& in, size_t max) {
  use(fd);
  if (held_back_ != IoStatus::kOk) return {held_back_, 0};
  if (!ready_) return {shake_hands(), 0};
  if (failed_) return {IoStatus::kError, 0};
  io_.drained = false;
  read_wants_write_ = false;
  size_t total = 0;
  while (total < max) {
    if (io_.drained && SSL_has_pending(ssl_.get()) == 0) return {IoStatus::kAgain, total};
    iovec room{};
    in.scatter(std::span(&room, 1), SIZE_MAX);
    ERR_clear_error();
    size_t n = 0;
    const int result = SSL_read_ex(ssl_.get(), room.iov_base, room.iov_len, &n);
    in.commit_scatter(result == 1 ? n : 0);
    total += n;
    received_ += n;
    if (attached_.key_updates > std::max(kMaxKeyUpdates, received_ / kDataPerKeyUpdate))
      held_back_ = fail_with(Code::kTls, failure_text("too many key updates"));
    else if (result != 1)
      held_back_ = fail_from(result, true);
    if (held_back_ == IoStatus::kOk) continue;
    const IoStatus status = held_back_;
    if (status == IoStatus::kAgain) held_back_ = IoStatus::kOk;
    return {total > 0 && status != IoStatus::kAgain ? IoStatus::kOk : status, total};
  }
  return {IoStatus::kOk, total};
}

size_t TlsTransport::record_size() noexcept {
  if (burst_ < kFirstFlight) return kFirstRecord;
  const auto now = steady_clock::now();
  if (now - last_write_ >= kPause) burst_ = 0;
  last_write_ = now;
  return burst_ < kFirstFlight ? kFirstRecord : kLargestRecord;
}

IoResult TlsTransport::write(int fd, Buffer& out) {
  use(fd);
  if (!ready_) {
    const IoStatus status = shake_hands();
    if (status == IoStatus::kAgain) write_wants_read_ = !read_wants_write_;
    if (status != IoStatus::kOk) return {status, 0};
  }
  if (failed_ || write_failed_) return {IoStatus::kError, 0};
  write_wants_read_ = false;
  size_t total = 0;
  while (!out.empty()) {
    std::string_view piece = out.front();
    if (unfinished_ > 0) {
      // The record exists already; OpenSSL wants to see the same bytes again.
      if (piece.size() < unfinished_) piece = out.linearize(unfinished_);
      piece = piece.substr(0, unfinished_);
    } else {
      const size_t record = record_size();
      if (piece.size() < kSmallPiece && piece.size() < out.size())
        piece = out.linearize(kFirstRecord);
      piece = piece.substr(0, record);
    }
    io_.more = piece.size() < out.size();
    ERR_clear_error();
    size_t n = 0;
    const int result = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &n);
    if (result != 1) {
      const IoStatus status = fail_from(result, false);
      unfinished_ = static_cast<uint32_t>(piece.size());
      return {status == IoStatus::kEnd ? fail_with(Code::kReset, "write: the connection is closed")
                                       : status,
              total};
    }
    unfinished_ = 0;
    out.drain(n);
    total += n;
    burst_ = static_cast<uint32_t>(std::min<size_t>(burst_ + n, kFirstFlight));
  }
  return {IoStatus::kOk, total};
}

void TlsTransport::end_writing(int fd) noexcept {
  if (!ready_ || failed_ || write_failed_ || ended_ || unfinished_ > 0) return;
  ended_ = true;
  use(fd);
  io_.more = false;
  ERR_clear_error();
  static_cast<void>(SSL_shutdown(ssl_.get()));
  ERR_clear_error();
}

}  // namespace weir::net::tls
