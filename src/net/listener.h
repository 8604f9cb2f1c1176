// Listener: a listening socket on one loop that hands accepted sockets to its sink.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include <weir/result.h>

#include "event/loop.h"
#include "net/address.h"

namespace weir::net {

/// setsockopt of the configuration's own.
struct SocketOption {
  enum class When : uint8_t { kBeforeBind, kBound, kListening };
  int level = 0;
  int name = 0;
  std::string value;  // bytes
  When when = When::kBeforeBind;
  bool operator==(const SocketOption&) const = default;
};

struct SocketOptions {
  int backlog = 1024;
  bool reuse_port = true;
  bool ipv4_compat = false;  // IPv6 wildcard takes IPv4 too
  bool freebind = false;
  bool transparent = false;  // IP_TRANSPARENT: also connections to addresses of others (TPROXY)
  int fast_open_queue = 0;   // TCP_FASTOPEN; 0 = off
  std::vector<SocketOption> options{};
  int unix_mode = 0;  // permission bits of a Unix socket; 0 = umask's
  bool operator==(const SocketOptions&) const = default;
};

enum class Probe : bool { kNo, kYes };

/// A bound listening socket, made on main and owned by one listener; fds can be duplicated for a new owner.
class ListenSocket {
 public:
  /// Binds and listens. The first socket of an address is probed by a bind without SO_REUSEPORT, so that a second process
  /// on the same port is told kAddressInUse. `address` with port 0 gets a port: see local(). One socket is made
  /// where sockets cannot share the address (Unix, reuse_port off), whatever `count`. Probe::kNo is for an address
  /// that this process itself listens on already, with other options.
  /// Errors: kAddressInUse; kExhausted out of fds; kSystem.
  static Result<std::vector<std::unique_ptr<ListenSocket>>> open(const Address& address,
                                                                 const SocketOptions& options,
                                                                 unsigned count,
                                                                 Probe probe = Probe::kYes);
  ~ListenSocket();
  ListenSocket(const ListenSocket&) = delete;
  ListenSocket& operator=(const ListenSocket&) = delete;
  int fd() const noexcept { return fd_; }
  /// Refuses every further client, although others may still hold this object. Any thread; for good.
  void stop_listening() const noexcept;
  /// Applies what can change while it listens: the backlog, and a Unix socket's mode.
  void apply(const SocketOptions& options) const noexcept;
  const Address& local() const noexcept { return local_; }

 private:
  ListenSocket(int fd, Address local) : fd_(fd), local_(std::move(local)) {}
  static Result<std::unique_ptr<ListenSocket>> bind_and_listen(const Address& address,
                                                               const SocketOptions& options);
  int fd_;
  Address local_;
  uint64_t inode_ =
      0;  // of a Unix socket's path, which is removed at the end if it is still this socket's
};

class AcceptSink {
 public:
  virtual ~AcceptSink() = default;
  virtual void on_accept(int fd, const Address& remote) = 0;  // takes ownership of fd
};

/// Whether a listener leaves the last file descriptors of the process (an eighth, 4 to 512) to what existing clients need:
/// connections to upstreams, files of a reload. Without that, clients that only connect would make every request a 503.
enum class LastFds : bool { kTake, kKeep };

/// Accepts in batches of at most `batch` per event. When fds run out (the kept ones are reached, EMFILE, ENFILE) one client
/// is accepted and closed, by a reserve fd if need be, and accepting pauses for a short while; existing connections go on.
/// Thread: its loop's. The socket outlives it; on_accept must not destroy it, but may pause it.
class Listener {
 public:
  Listener(event::Loop& loop, const ListenSocket& socket, AcceptSink& sink, unsigned batch = 16,
           LastFds last_fds = LastFds::kKeep);
  ~Listener();
  void pause() noexcept;  // stops accepting; the kernel's queue fills
  void resume();
  /// Accepts whatever is in the queue now (before a socket is closed for good).
  void drain_queue();

 private:
  static void on_event(void* self, unsigned events) noexcept;
  static void on_timer(void* self) noexcept;
  void accept_batch(unsigned limit);
  bool accept_one();
  void out_of_fds();
  void pause_for_fds();
  int ceiling() const noexcept;

  const ListenSocket& socket_;
  AcceptSink& sink_;
  unsigned batch_;
  LastFds last_fds_;
  int fd_ceiling_;
  event::FdWatch watch_;
  event::Timer pause_timer_;
  int reserve_fd_ = -1;
  bool paused_ = false;  // by pause()
};

}  // namespace weir::net
