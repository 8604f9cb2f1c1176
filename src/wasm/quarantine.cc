#include "wasm/quarantine.h"

#include <algorithm>

namespace weir::wasm {

bool Quarantine::note(MonotonicTime now) {
  if (options_.failures == 0 || active_) return false;
  if (now - last_trouble_ > std::max(pause_, options_.window)) times_ = 0;
  last_trouble_ = now;
  failures_.push_back(now);
  while (now - failures_.front() > options_.window) failures_.pop_front();
  if (failures_.size() < options_.failures) return false;
  failures_.clear();
  active_ = true;
  pause_ = std::min(options_.max_interval,
                    options_.base_interval * (int64_t{1} << std::min(times_, 20u)));
  ++times_;
  return true;
}

void Quarantine::release(MonotonicTime now) noexcept {
  active_ = false;
  last_trouble_ = now;
}

}  // namespace weir::wasm
