// Metrics.
#include "wasm/abi/abi.h"

namespace weir::wasm::abi {
namespace {

constexpr uint32_t kMaxMetricType = 2;

/// Ids are opaque to guests; 0 is never one.
Vm::Metric* find(Vm& vm, Value id) {
  auto& metrics = vm.metrics().by_id;
  const uint32_t index = u32(id) - 1;
  return index < metrics.size() ? &metrics[index] : nullptr;
}

uint32_t define(Vm& vm, MetricType type, std::string_view name) {
  auto& metrics = vm.metrics();
  const bool usable = !name.empty() && name.size() <= kMaxMetricNameBytes;
  if (!usable) name = {};  // a long one is not kept either
  std::string key(1, static_cast<char>('0' + static_cast<int>(type)));
  key += name;
  if (const auto found = metrics.ids.find(key); found != metrics.ids.end()) return found->second;
  CustomMetric* metric = nullptr;
  const bool room = metrics.by_id.size() < vm.vm_config().limits.max_metrics;
  if (room && usable && !vm.canary())
    metric = vm.services().metrics.define(type, name, vm.speaker().label(),
                                          vm.vm_config().limits.max_metrics);
  if (metric == nullptr && !vm.canary()) vm.count_limit(LimitKind::kMetrics);
  if (!room) {
    // SDKs panic on a refusal: what is too much goes to one metric of the type that keeps nothing.
    const std::string lost(1, static_cast<char>('a' + static_cast<int>(type)));
    if (const auto found = metrics.ids.find(lost); found != metrics.ids.end()) return found->second;
    key = lost;
  }
  metrics.by_id.push_back(Vm::Metric{metric, type});
  const auto id = static_cast<uint32_t>(metrics.by_id.size());
  metrics.ids.emplace(std::move(key), id);
  return id;
}

}  // namespace

Status define_metric(Vm& vm, const Value* args) {
  const auto name = vm.memory().view(args[1], args[2]);
  if (!name || !vm.memory().contains(u32(args[3]), 4)) return Status::kInvalidMemoryAccess;
  if (u32(args[0]) > kMaxMetricType) return Status::kBadArgument;
  const uint32_t id = define(vm, static_cast<MetricType>(u32(args[0])), *name);
  vm.memory().store<uint32_t>(args[3], id);
  return Status::kOk;
}

Status increment_metric(Vm& vm, const Value* args) {
  Vm::Metric* metric = find(vm, args[0]);
  if (metric == nullptr) return Status::kNotFound;
  const auto delta = static_cast<int64_t>(args[1]);
  if (metric->type == MetricType::kHistogram ||
      (metric->type == MetricType::kCounter && delta <= 0))
    return Status::kBadArgument;
  return metric->metric != nullptr ? metric->metric->increment(delta) : Status::kOk;
}

Status record_metric(Vm& vm, const Value* args) {
  Vm::Metric* metric = find(vm, args[0]);
  if (metric == nullptr) return Status::kNotFound;
  if (metric->metric != nullptr) metric->metric->record(args[1]);
  return Status::kOk;
}

Status get_metric(Vm& vm, const Value* args) {
  Vm::Metric* metric = find(vm, args[0]);
  if (!vm.memory().contains(u32(args[1]), 8)) return Status::kInvalidMemoryAccess;
  if (metric == nullptr) return Status::kNotFound;
  if (metric->type == MetricType::kHistogram) return Status::kBadArgument;
  const uint64_t value = metric->metric != nullptr ? metric->metric->value().value_or(0) : 0;
  vm.memory().store<uint64_t>(args[1], value);
  return Status::kOk;
}

}  // namespace weir::wasm::abi
