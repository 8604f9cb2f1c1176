#include "proxy/pending_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/listener_host.h"

namespace weir::proxy {

PendingConnection::PendingConnection(SessionDeps& deps, ListenerHost& host,
                                     std::shared_ptr<const ListenerRuntime> runtime,
                                     AcceptedSocket&& socket)
    : deps_(deps),
      host_(host),
      started_(deps.loop.now()),
      runtime_(std::move(runtime)),
      socket_(std::move(socket)),
      watch_(deps.loop, &on_event, this),
      timer_(deps.loop, &on_timer, this) {
  runtime_->stats().pre_cx_active.inc();
}

PendingConnection::~PendingConnection() { runtime_->stats().pre_cx_active.dec(); }

void PendingConnection::finish() noexcept {
  done_ = true;
  timer_.cancel();
  watch_.disarm();
}

void PendingConnection::refuse(std::string_view why) {
  if (done_) return;
  finish();
  socket_.info.own_extras().termination_details = why;
  host_.refused(*this);
}

// ---- inspection -------------------------------------------------------------------------------------------------------------

void PendingConnection::on_event(void* self, unsigned) noexcept {
  static_cast<PendingConnection*>(self)->inspect();
}

void PendingConnection::on_timer(void* self) noexcept {
  auto& pending = *static_cast<PendingConnection*>(self);
  if (pending.done_) return;
  pending.runtime_->stats().pre_cx_timeout.inc();
  if (!pending.runtime_->options().continue_on_filters_timeout)
    return pending.refuse("listener_filter_timeout");
  pending.finish();
  pending.host_.inspected(pending);
}

void PendingConnection::inspect() {
  if (done_) return;
  const ListenerFilters& filters = runtime_->filters();
  for (; next_filter_ < filters.size(); ++next_filter_) {
    Inspection at{socket_.fd.get(), deps_.loop, socket_.info, socket_.remote, socket_.local};
    const InspectVerdict verdict = ask(*filters[next_filter_], at);
    if (verdict == InspectVerdict::kMore && at.why == nullptr) return wait();
    if (verdict != InspectVerdict::kDone) return refuse(at.why);
    if (at.consumed > 0) consume(at.consumed);
  }
  finish();
  host_.inspected(*this);
}

/// The filter's word on what has come so far. kMore with a reason: no more will come.
InspectVerdict PendingConnection::ask(const ListenerFilter& filter, Inspection& at) {
  const size_t max = filter.max_bytes();
  if (max == 0) return filter.inspect(at);
  if (!peek(max, at)) return InspectVerdict::kClose;
  InspectVerdict verdict = filter.inspect(at);
  if (verdict != InspectVerdict::kMore) return verdict;
  if (!at.ended && !hung_up()) return verdict;
  // Between the two looks the last bytes may have come.
  if (!peek(max, at)) return InspectVerdict::kClose;
  at.ended = true;
  verdict = filter.inspect(at);
  if (verdict == InspectVerdict::kMore) at.why = "the client closed";
  return verdict;
}

bool PendingConnection::peek(size_t max, Inspection& at) {
  const std::span<char> room = host_.peek_room(max);
  ssize_t got = 0;
  do {
    got = ::recv(at.fd, room.data(), room.size(), MSG_PEEK | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  at.bytes = std::string_view(room.data(), got > 0 ? static_cast<size_t>(got) : 0);
  at.ended = got == 0;
  if (got >= 0 || errno == EAGAIN || errno == EWOULDBLOCK) return true;
  at.why = "the client reset the connection";
  return false;
}

bool PendingConnection::hung_up() const noexcept {
  pollfd state{socket_.fd.get(), POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void PendingConnection::consume(size_t bytes) {
  while (bytes > 0) {
    const std::span<char> room = host_.peek_room(bytes);
    const ssize_t got = ::recv(socket_.fd.get(), room.data(), bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;  // impossible: they have been seen
    bytes -= static_cast<size_t>(got);
  }
}

/// Edge-triggered: bytes that stay in the socket would wake the loop for ever.
void PendingConnection::wait() {
  if (std::exchange(waiting_, true)) return;
  watch_.attach(socket_.fd.get(), event::FdWatch::Trigger::kEdge);
  watch_.want(event::FdWatch::kRead);
  const Milliseconds timeout = runtime_->options().filters_timeout;
  if (timeout.count() > 0) timer_.arm(timeout);
}

}  // namespace weir::proxy
