// CallStats: the statistics of gRPC calls to the clusters that are used.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/stats.h>

namespace weir::filters {

/// "cluster.<name>.grpc.", or "cluster.<name>.grpc.<service>.<method>.".
class CallStats {
 public:
  CallStats(StatsScope& scope, bool upstream_time);
  /// The call is over with this grpc-status.
  void finish(std::string_view status) const;
  Counter& request_messages;
  Counter& response_messages;
  Histogram* upstream_time;  // null: not wanted

 private:
  static constexpr size_t kStatuses = 17;
  Counter &success_, &failure_, &total_;
  std::array<Counter*, kStatuses> by_status_{};
};

/// The statistics of methods that requests have brought: the first kLimit of the whole process, for names of statistics are for
/// ever and a client can think of any number. Lock-free but for the making; shared by all workers and generations.
class LearntCalls {
 public:
  static constexpr size_t kLimit = 500;
  static constexpr size_t kMaxPath = 200;

  /// How names are shown; those that differ in it count apart.
  struct Form {
    bool replace_dots = false;
    bool upstream_time = false;
    bool operator==(const Form&) const = default;
  };

  LearntCalls() = default;
  ~LearntCalls();
  LearntCalls(const LearntCalls&) = delete;
  LearntCalls& operator=(const LearntCalls&) = delete;

  /// Null: `path` is not "/service/method" of letters, digits, dots and underscores, or it is one too many. `root` has names from
  /// the root.
  const CallStats* find(StatsScope& root, std::string_view cluster, std::string_view path,
                        Form form);

 private:
  struct Entry;
  static constexpr size_t kBuckets = 256;
  std::atomic<size_t> made_{0};
  std::array<std::atomic<Entry*>, kBuckets> buckets_{};
};

/// The statistics of all clusters that were called, made when the first call of each comes. Nobody knows before which
/// ones these are: routes change without the listener. Finding them takes no lock; making them takes that of the
/// store, once for each cluster. Shared by all workers; entries live as long as the table.
class CallStatsTable {
 public:
  /// Paths ("/service/method") with statistics of their own, and the names of these.
  using Methods = std::map<std::string, std::string, std::less<>>;

  /// `learnt`: methods beside `methods` have their own too; null: they have not. Outlives this.
  CallStatsTable(StatsScope& root, Methods methods, LearntCalls::Form form,
                 LearntCalls* learnt = nullptr);
  ~CallStatsTable();
  CallStatsTable(const CallStatsTable&) = delete;
  CallStatsTable& operator=(const CallStatsTable&) = delete;

  /// `cluster` is one of the configuration, never a name that only a request has brought.
  const CallStats& find(std::string_view cluster, std::string_view path) const;

 private:
  struct Entry;
  std::unique_ptr<Entry> make(std::string_view cluster) const;

  static constexpr size_t kBuckets = 64;
  const std::unique_ptr<StatsScope> root_;
  const Methods methods_;
  const LearntCalls::Form form_;
  LearntCalls* const learnt_;
  mutable std::array<std::atomic<Entry*>, kBuckets> buckets_{};
};

}  // namespace weir::filters
