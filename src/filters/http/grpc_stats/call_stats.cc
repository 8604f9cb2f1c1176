#include "filters/http/grpc_stats/call_stats.h"

#include <functional>
#include <utility>

namespace weir::filters {

namespace {

/// The number of a grpc-status; nothing if it is none of gRPC's.
std::optional<size_t> number_of(std::string_view status) noexcept {
  if (status.empty() || status.size() > 2) return std::nullopt;
  size_t number = 0;
  for (const char c : status) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<size_t>(c - '0');
  }
  return number <= 16 ? std::optional(number) : std::nullopt;
}

}  // namespace

CallStats::CallStats(StatsScope& scope, bool with_time)
    : request_messages(scope.counter("request_message_count")),
      response_messages(scope.counter("response_message_count")),
      upstream_time(with_time ? &scope.histogram("upstream_rq_time") : nullptr),
      success_(scope.counter("success")),
      failure_(scope.counter("failure")),
      total_(scope.counter("total")) {
  for (size_t i = 0; i < kStatuses; ++i) by_status_[i] = &scope.counter(std::to_string(i));
}

void CallStats::finish(std::string_view status) const {
  const auto number = number_of(status);
  if (number) by_status_[*number]->inc();
  (number == size_t{0} ? success_ : failure_).inc();
  total_.inc();
}

struct CallStatsTable::Entry {
  std::string cluster;
  std::unique_ptr<CallStats> all;  // of the methods that are not listed
  std::map<std::string_view, std::unique_ptr<CallStats>, std::less<>> methods;  // by path
  Entry* next = nullptr;
};

CallStatsTable::CallStatsTable(StatsScope& root, Methods methods, bool upstream_time)
    : root_(root.scope({})), methods_(std::move(methods)), upstream_time_(upstream_time) {}

CallStatsTable::~CallStatsTable() {
  for (auto& bucket : buckets_) {
    std::unique_ptr<Entry> entry(bucket.load(std::memory_order_acquire));
    while (entry) entry.reset(entry->next);
  }
}

std::unique_ptr<CallStatsTable::Entry> CallStatsTable::make(std::string_view cluster) const {
  auto entry = std::make_unique<Entry>();
  entry->cluster = cluster;
  const std::string prefix = "cluster." + entry->cluster + ".grpc.";
  entry->all = std::make_unique<CallStats>(*root_->scope(prefix), upstream_time_);
  for (const auto& [path, name] : methods_)
    entry->methods.emplace(
        path, std::make_unique<CallStats>(*root_->scope(prefix + name + "."), upstream_time_));
  return entry;
}

const CallStats& CallStatsTable::find(std::string_view cluster, std::string_view path) const {
  std::atomic<Entry*>& bucket = buckets_[std::hash<std::string_view>()(cluster) % kBuckets];
  Entry* entry = bucket.load(std::memory_order_acquire);
  while (entry != nullptr && entry->cluster != cluster) entry = entry->next;
  if (entry == nullptr) {
    // Two workers may do this at once: both entries then have the same counters.
    entry = make(cluster).release();
    entry->next = bucket.load(std::memory_order_acquire);
    while (!bucket.compare_exchange_weak(entry->next, entry, std::memory_order_acq_rel)) {
    }
  }
  const auto own = entry->methods.find(path);
  return own == entry->methods.end() ? *entry->all : *own->second;
}

}  // namespace weir::filters
