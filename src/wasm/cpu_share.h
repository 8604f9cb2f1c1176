// CpuShare: how much of its worker a guest has used within the last second.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace weir::wasm {

/// Times are ticks of read_ticks(). Owner: a Vm. Thread: the worker's.
class CpuShare {
 public:
  CpuShare(unsigned max_percent, uint64_t ticks_per_second) noexcept
      : bucket_ticks_(std::max<uint64_t>(ticks_per_second / kBuckets, 1)),
        limit_(ticks_per_second / 100 * max_percent) {}

  /// A call of `ticks` that is over now.
  void add(uint64_t now, uint64_t ticks) noexcept;
  /// Once over the limit it stays so until the share has fallen to three quarters of it, so that it does not change with each stream.
  bool over(uint64_t now) noexcept;
  /// Of the last second.
  uint64_t ticks(uint64_t now) noexcept;

 private:
  static constexpr unsigned kBuckets = 10;
  void move_to(uint64_t now) noexcept;

  const uint64_t bucket_ticks_;
  const uint64_t limit_;
  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t last_ = 0;  // number of the newest bucket
  uint64_t sum_ = 0;
  bool over_ = false;
};

}  // namespace weir::wasm
