// LoopTimer: the StreamTimer of chains of both kinds.
#pragma once

#include <weir/http_filter.h>

#include "event/loop.h"

namespace weir::stream {

class LoopTimer final : public StreamTimer {
 public:
  LoopTimer(event::Loop& loop, std::chrono::milliseconds delay, void (*handler)(void*),
            void* argument)
      : timer_(loop, handler, argument) {
    timer_.arm(delay);
  }

 private:
  event::Timer timer_;
};

}  // namespace weir::stream
