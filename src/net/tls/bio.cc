#include "net/tls/bio.h"

#include <sys/socket.h>

#include <cerrno>

#include "net/tls/transport.h"

namespace weir::net::tls {
namespace {

bool is_try_again(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

int on_read(BIO* bio, char* to, int size) noexcept {
  auto& io = *static_cast<SocketIo*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  if (io.drained) {
    BIO_set_retry_read(bio);
    return -1;
  }
  ssize_t n = 0;
  do {
    n = ::recv(io.fd, to, static_cast<size_t>(size), 0);
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    io.drained = n < size;
  } else if (n == 0) {
    io.ended = true;
  } else if (is_try_again(errno)) {
    io.drained = true;
    BIO_set_retry_read(bio);
  } else {
    io.error = errno;
  }
  return static_cast<int>(n);
}

int on_write(BIO* bio, const char* from, int size) noexcept {
  auto& io = *static_cast<SocketIo*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  ssize_t n = 0;
  do {
    n = ::send(io.fd, from, static_cast<size_t>(size), MSG_NOSIGNAL | (io.more ? MSG_MORE : 0));
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (is_try_again(errno)) {
      BIO_set_retry_write(bio);
    } else {
      io.error = errno;
    }
  }
  return static_cast<int>(n);
}

long on_control(BIO* bio, int command, long, void*) noexcept {
  const auto& io = *static_cast<const SocketIo*>(BIO_get_data(bio));
  if (command == BIO_CTRL_EOF) return io.ended ? 1 : 0;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

const BIO_METHOD* method() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* out = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir socket");
    BIO_meth_set_read(out, &on_read);
    BIO_meth_set_write(out, &on_write);
    BIO_meth_set_ctrl(out, &on_control);
    return out;
  }();
  return made;
}

}  // namespace

// OpenSSL counts references of a BIO, and chains others before it but changes nothing in it: what it would keep for a connection
// between two calls is in SocketIo.
BioPtr socket_bio() {
  thread_local const BioPtr shared = [] {
    BioPtr bio(BIO_new(method()));
    BIO_set_init(bio.get(), 1);
    return bio;
  }();
  BIO_up_ref(shared.get());
  return BioPtr(shared.get());
}

void use_socket(SSL& ssl, SocketIo& io) noexcept { BIO_set_data(SSL_get_rbio(&ssl), &io); }

}  // namespace weir::net::tls
