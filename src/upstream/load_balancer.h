// LoadBalancer: picks one of a list of hosts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "upstream/options.h"

namespace weir::upstream {

/// xorshift64*: fast, good enough to spread load; not for secrets.
class Random {
 public:
  explicit Random(uint64_t seed) noexcept : state_(seed | 1) {}
  uint64_t next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  /// 0 <= result < bound. Requires: bound > 0.
  uint32_t below(uint32_t bound) noexcept {
    return static_cast<uint32_t>((next() >> 32) * bound >> 32);
  }

 private:
  uint64_t state_;
};

/// Owner: a Cluster. Thread: its worker's. Knows hosts by index only.
/// ROUND_ROBIN with unequal weights is earliest deadline first, which interleaves smoothly; LEAST_REQUEST compares the
/// choices of a random sample, and with unequal weights is earliest deadline first over weight / (active + 1), as in Envoy.
class LoadBalancer {
 public:
  explicit LoadBalancer(uint64_t seed) noexcept : random_(seed) {}
  void reset(LbPolicy policy, uint32_t choices, std::vector<uint32_t> weights);

  /// Index of the next host. Requires: !empty(). `active(i)` is the number of requests that host i serves now.
  template <typename Active>
  size_t pick(Active&& active) noexcept {
    const auto hosts = static_cast<uint32_t>(weights_.size());
    if (hosts == 1) return 0;
    if (policy_ == LbPolicy::kRandom) return random_.below(hosts);
    if (weighted_) {
      const Entry earliest = heap_.front();
      const uint64_t load = policy_ == LbPolicy::kLeastRequest ? active(earliest.host) + 1 : 1;
      reschedule(load);
      return earliest.host;
    }
    if (policy_ == LbPolicy::kRoundRobin) return next_ = next_ + 1 < hosts ? next_ + 1 : 0;
    uint32_t best = random_.below(hosts);
    for (uint32_t i = 1; i < choices_; ++i) {
      const uint32_t other = random_.below(hosts);
      if (active(other) < active(best)) best = other;
    }
    return best;
  }
  bool empty() const noexcept { return weights_.empty(); }
  size_t size() const noexcept { return weights_.size(); }

 private:
  struct Entry {
    double deadline;
    uint64_t order;  // breaks ties: who was scheduled first
    uint32_t host;
  };
  static bool later(const Entry& a, const Entry& b) noexcept;
  void reschedule(uint64_t load) noexcept;

  Random random_;
  LbPolicy policy_ = LbPolicy::kRoundRobin;
  uint32_t choices_ = 2;
  std::vector<uint32_t> weights_;
  bool weighted_ = false;
  uint32_t next_ = 0;
  std::vector<Entry> heap_;
  uint64_t order_ = 0;
};

}  // namespace weir::upstream
