// Stats as extensions see them: metrics are made when the configuration is built and bumped on the data path.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace weir {

/// A monotonic count. add() is one relaxed load and store in a cell of the calling thread.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(uint64_t n) noexcept = 0;
  void inc() noexcept { add(1); }
};

/// A value that goes up and down; each thread's cell holds its share.
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void add(int64_t n) noexcept = 0;
  virtual void set(int64_t value) noexcept = 0;  // last writer wins; do not mix with add()
  void inc() noexcept { add(1); }
  void dec() noexcept { add(-1); }
};

/// A distribution; values are in the unit of its name (ms unless said otherwise).
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void record(uint64_t value) noexcept = 0;
};

/// Makes metrics below a dotted prefix. The metrics live as long as the process; asking twice for one
/// name returns the same object. Thread: main (takes a lock); never on the request path.
class StatsScope {
 public:
  virtual ~StatsScope() = default;
  virtual Counter& counter(std::string_view name) = 0;
  virtual Gauge& gauge(std::string_view name) = 0;
  virtual Histogram& histogram(std::string_view name) = 0;
  virtual std::unique_ptr<StatsScope> scope(std::string_view prefix) = 0;
};

}  // namespace weir
