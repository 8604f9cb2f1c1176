#include "wasm/cpu_share.h"

namespace weir::wasm {

void CpuShare::move_to(uint64_t now) noexcept {
  const uint64_t bucket = now / bucket_ticks_;
  if (bucket <= last_) return;
  if (bucket - last_ >= kBuckets) {
    buckets_.fill(0);
    sum_ = 0;
  } else {
    for (uint64_t each = last_ + 1; each <= bucket; ++each) {
      sum_ -= buckets_[each % kBuckets];
      buckets_[each % kBuckets] = 0;
    }
  }
  last_ = bucket;
}

void CpuShare::add(uint64_t now, uint64_t ticks) noexcept {
  move_to(now);
  buckets_[last_ % kBuckets] += ticks;
  sum_ += ticks;
}

bool CpuShare::over(uint64_t now) noexcept {
  move_to(now);
  over_ = sum_ > (over_ ? limit_ / 4 * 3 : limit_);
  return over_;
}

uint64_t CpuShare::ticks(uint64_t now) noexcept {
  move_to(now);
  return sum_;
}

}  // namespace weir::wasm
