#include <event2/event.h>

#include "base/check.h"
#include "event/loop.h"

namespace weir::event {

FdWatch::~FdWatch() {
  if (read_event_ != nullptr) event_free(read_event_);
  if (write_event_ != nullptr) event_free(write_event_);
}

void FdWatch::attach(int fd, Trigger trigger) {
  WEIR_CHECK(fd_ < 0 && fd >= 0);
  fd_ = fd;
  trigger_ = trigger;
}

struct event* FdWatch::event_of(unsigned which) {
  struct event*& event = which == kRead ? read_event_ : write_event_;
  if (event == nullptr) {
    const int edge = trigger_ == Trigger::kEdge ? EV_ET : 0;
    event = event_new(loop_.base_, fd_,
                      static_cast<short>((which == kRead ? EV_READ : EV_WRITE) | EV_PERSIST | edge),
                      &FdWatch::trampoline, this);
    WEIR_CHECK(event != nullptr);
  }
  return event;
}

void FdWatch::want(unsigned events) {
  const unsigned changed = events ^ wanted_;
  if (changed == 0) return;
  WEIR_CHECK(fd_ >= 0);
  // Additions first: a change of direction is then two modifications of the kernel's entry and not its removal.
  for (const unsigned which : {kRead, kWrite}) {
    if ((changed & events & which) != 0) WEIR_CHECK(event_add(event_of(which), nullptr) == 0);
  }
  for (const unsigned which : {kRead, kWrite}) {
    if ((changed & wanted_ & which) != 0) event_del(event_of(which));
  }
  wanted_ = events;
}

void FdWatch::disarm() noexcept {
  if (read_event_ != nullptr) event_free(read_event_);
  if (write_event_ != nullptr) event_free(write_event_);
  read_event_ = write_event_ = nullptr;
  wanted_ = 0;
  fd_ = -1;
}

void FdWatch::trampoline(int, short what, void* arg) noexcept {
  auto& watch = *static_cast<FdWatch*>(arg);
  Loop& loop = watch.loop_;  // the watch may be gone afterwards
  loop.wait_over();
  watch.callback_(watch.argument_,
                  ((what & EV_READ) != 0 ? kRead : 0) | ((what & EV_WRITE) != 0 ? kWrite : 0));
  loop.fd_callback_over();
}

}  // namespace weir::event
