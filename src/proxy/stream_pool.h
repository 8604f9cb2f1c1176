// StreamPool: stream objects that one worker uses again, so that a request on a keep-alive connection allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "event/loop.h"

namespace weir::proxy {

class HttpStream;

/// Owner: the worker; outlives every session. Thread: its loop's. A stream that is given back is cleared at the end of the
/// turn, when nothing of it is on the stack any more.
class StreamPool {
 public:
  explicit StreamPool(event::Loop& loop);
  ~StreamPool();
  std::unique_ptr<HttpStream> take();
  void give_back(std::unique_ptr<HttpStream> stream);
  size_t idle() const noexcept { return free_.size(); }
  uint64_t next_id() noexcept { return ++last_id_; }  // unique in the process

 private:
  static constexpr size_t kKept = 256;
  static void on_end_of_turn(void* self);
  event::EndOfTurn end_of_turn_;
  std::vector<std::unique_ptr<HttpStream>> free_;
  std::vector<std::unique_ptr<HttpStream>> dying_;
  uint64_t last_id_;
};

}  // namespace weir::proxy
