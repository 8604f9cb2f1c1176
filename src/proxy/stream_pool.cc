#include "proxy/stream_pool.h"

#include <atomic>
#include <utility>

#include "proxy/http_stream.h"

namespace weir::proxy {

namespace {
/// Each pool numbers its streams in a range of its own.
uint64_t id_range() noexcept {
  static std::atomic<uint64_t> pools{0};
  return pools.fetch_add(1, std::memory_order_relaxed) << 40;
}
}  // namespace

StreamPool::StreamPool(event::Loop& loop)
    : end_of_turn_(loop, &on_end_of_turn, this), last_id_(id_range()) {}

StreamPool::~StreamPool() {
  for (auto& stream : dying_) stream->recycle();
}

std::unique_ptr<HttpStream> StreamPool::take() {
  if (free_.empty()) return std::make_unique<HttpStream>();
  auto stream = std::move(free_.back());
  free_.pop_back();
  return stream;
}

void StreamPool::give_back(std::unique_ptr<HttpStream> stream) {
  dying_.push_back(std::move(stream));
  end_of_turn_.schedule();
}

void StreamPool::on_end_of_turn(void* self) {
  auto& pool = *static_cast<StreamPool*>(self);
  // Destroying filters may finish other streams: they come into the vector behind.
  for (size_t i = 0; i < pool.dying_.size(); ++i) {
    auto stream = std::move(pool.dying_[i]);
    stream->recycle();
    if (pool.free_.size() < kKept) pool.free_.push_back(std::move(stream));
  }
  pool.dying_.clear();
}

}  // namespace weir::proxy
