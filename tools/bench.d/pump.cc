// The floor of tools/bench: joins each accepted socket to one of its own towards the origin and moves bytes both ways.
//
//   pump PORT ORIGIN_PORT [BUFFER_BYTES]
//
// One thread, two sockets per pair, nothing parsed. With a small message: one read and one write each way, and one epoll_wait
// for all that is ready. What a proxy costs above this program is its own work; what it costs below is impossible with
// read and write.
#include <cstring>
#include <memory>
#include <vector>

#include "sockets.h"

namespace {

size_t buffer_bytes = 65536;
int poll_fd = -1;

struct Pair;

struct Side {
  Pair* pair = nullptr;
  Side* other = nullptr;
  int fd = -1;
  // Read from this side, not yet taken by the other one.
  std::vector<char> pending{};
  size_t pending_from = 0;
  bool readable = false;
  bool ended = false;
};

struct Pair {
  Side client{};
  Side origin{};
  bool closed = false;
};

std::vector<char> scratch;

void close_pair(Pair& pair, std::vector<Pair*>& dead) {
  if (pair.closed) return;
  pair.closed = true;
  close(pair.client.fd);
  close(pair.origin.fd);
  dead.push_back(&pair);  // deleted after the batch: it may hold events of either side
}

enum class Moved { kAll, kBlocked, kFailed };

Moved write_out(Side& to, const char* data, size_t size, size_t& written) {
  written = 0;
  while (written < size) {
    const ssize_t n = write(to.fd, data + written, size - written);
    if (n > 0) {
      written += static_cast<size_t>(n);
    } else {
      return bench::would_block(n) || (n < 0 && errno == ENOTCONN) ? Moved::kBlocked
                                                                   : Moved::kFailed;
    }
  }
  return Moved::kAll;
}

Moved flush_pending(Side& from) {
  if (from.pending.empty()) return Moved::kAll;
  size_t written = 0;
  const Moved moved = write_out(*from.other, from.pending.data() + from.pending_from,
                                from.pending.size() - from.pending_from, written);
  from.pending_from += written;
  if (moved != Moved::kAll) return moved;
  from.pending.clear();
  from.pending_from = 0;
  return Moved::kAll;
}

// Moves what `from` has to its other side; false ends the pair.
bool pump(Side& from) {
  const Moved flushed = flush_pending(from);
  if (flushed != Moved::kAll) return flushed == Moved::kBlocked;
  while (from.readable) {
    const ssize_t n = read(from.fd, scratch.data(), scratch.size());
    if (n == 0) from.ended = true;
    if (n <= 0) {
      from.readable = false;
      return bench::would_block(n);
    }
    // A short read has emptied the socket: the next bytes bring an edge of their own.
    if (static_cast<size_t>(n) < scratch.size()) from.readable = false;
    size_t written = 0;
    const Moved moved = write_out(*from.other, scratch.data(), static_cast<size_t>(n), written);
    if (moved == Moved::kFailed) return false;
    if (moved == Moved::kBlocked) {
      from.pending.assign(scratch.data() + written, scratch.data() + n);
      return true;
    }
  }
  return true;
}

int connect_origin(const char* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const sockaddr_in address = bench::loopback(port);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  bench::no_delay(fd);
  return fd;
}

void accept_all(int listener, const char* origin_port) {
  for (;;) {
    const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    const int origin = connect_origin(origin_port);
    if (origin < 0) {
      close(client);
      continue;
    }
    bench::no_delay(client);
    auto* pair = new Pair;
    pair->client.pair = pair->origin.pair = pair;
    pair->client.other = &pair->origin;
    pair->origin.other = &pair->client;
    pair->client.fd = client;
    pair->origin.fd = origin;
    bench::watch(poll_fd, client, &pair->client, EPOLLIN | EPOLLOUT | EPOLLET);
    bench::watch(poll_fd, origin, &pair->origin, EPOLLIN | EPOLLOUT | EPOLLET);
  }
}

void on_event(Side& side, uint32_t events, std::vector<Pair*>& dead) {
  if (side.pair->closed) return;
  bool alive = true;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    side.readable = true;
    alive = pump(side);
  }
  // Room to write: what the other side has read for this one goes on.
  if (alive && (events & EPOLLOUT) && (!side.other->pending.empty() || side.other->readable))
    alive = pump(*side.other);
  if (!alive) close_pair(*side.pair, dead);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  if (argc > 3) buffer_bytes = static_cast<size_t>(std::atoll(argv[3]));
  scratch.resize(buffer_bytes);
  bench::ignore_broken_pipes();
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  const int listener = bench::listen_on(argv[1]);
  bench::watch(poll_fd, listener, nullptr, EPOLLIN);
  epoll_event events[256];
  std::vector<Pair*> dead;
  for (;;) {
    const int count = epoll_wait(poll_fd, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) {
        accept_all(listener, argv[2]);
      } else {
        on_event(*static_cast<Side*>(events[i].data.ptr), events[i].events, dead);
      }
    }
    for (Pair* pair : dead) delete pair;
    dead.clear();
  }
}
