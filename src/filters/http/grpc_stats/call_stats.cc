#include "filters/http/grpc_stats/call_stats.h"

#include <algorithm>
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

/// "/service/method", of what may stand in a name of statistics.
bool names_method(std::string_view path) noexcept {
  if (path.size() > LearntCalls::kMaxPath || !path.starts_with('/')) return false;
  const size_t slash = path.find('/', 1);
  if (slash == std::string_view::npos || slash == 1 || slash + 1 == path.size()) return false;
  for (size_t i = 1; i < path.size(); ++i) {
    const char c = path[i];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_';
    if (!plain && i != slash) return false;
  }
  return true;
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

struct LearntCalls::Entry {
  std::string cluster, path;
  Form form;
  std::unique_ptr<CallStats> stats;
  Entry* next = nullptr;
};

LearntCalls::~LearntCalls() {
  for (auto& bucket : buckets_) {
    std::unique_ptr<Entry> entry(bucket.load(std::memory_order_acquire));
    while (entry) entry.reset(entry->next);
  }
}

const CallStats* LearntCalls::find(StatsScope& root, std::string_view cluster,
                                   std::string_view path, Form form) {
  const std::hash<std::string_view> hash;
  std::atomic<Entry*>& bucket = buckets_[(hash(cluster) ^ hash(path)) % kBuckets];
  Entry* entry = bucket.load(std::memory_order_acquire);
  while (entry != nullptr &&
         (entry->path != path || entry->cluster != cluster || entry->form != form))
    entry = entry->next;
  if (entry != nullptr) return entry->stats.get();
  // Two workers may do this at once: both entries then have the same counters.
  if (made_.load(std::memory_order_relaxed) >= kLimit || !names_method(path)) return nullptr;
  if (made_.fetch_add(1, std::memory_order_relaxed) >= kLimit) {
    made_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  const size_t slash = path.find('/', 1);
  std::string service(path.substr(1, slash - 1));
  if (form.replace_dots) std::replace(service.begin(), service.end(), '.', '_');
  const auto scope = root.scope("cluster." + std::string(cluster) + ".grpc." + service + "." +
                                std::string(path.substr(slash + 1)) + ".");
  auto made = std::make_unique<Entry>();
  made->cluster = cluster;
  made->path = path;
  made->form = form;
  made->stats = std::make_unique<CallStats>(*scope, form.upstream_time);
  entry = made.release();
  entry->next = bucket.load(std::memory_order_acquire);
  while (!bucket.compare_exchange_weak(entry->next, entry, std::memory_order_acq_rel)) {
  }
  return entry->stats.get();
}

struct CallStatsTable::Entry {
  std::string cluster;
  std::unique_ptr<CallStats> all;  // of the methods that are not listed
  std::map<std::string_view, std::unique_ptr<CallStats>, std::less<>> methods;  // by path
  Entry* next = nullptr;
};

CallStatsTable::CallStatsTable(StatsScope& root, Methods methods, LearntCalls::Form form,
                               LearntCalls* learnt)
    : root_(root.scope({})), methods_(std::move(methods)), form_(form), learnt_(learnt) {}

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
  entry->all = std::make_unique<CallStats>(*root_->scope(prefix), form_.upstream_time);
  for (const auto& [path, name] : methods_)
    entry->methods.emplace(
        path, std::make_unique<CallStats>(*root_->scope(prefix + name + "."), form_.upstream_time));
  return entry;
}

const CallStats& CallStatsTable::find(std::string_view cluster, std::string_view path) const {
  if (learnt_ != nullptr) {
    if (const CallStats* own = learnt_->find(*root_, cluster, path, form_)) return *own;
  }
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
