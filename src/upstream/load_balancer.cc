#include "upstream/load_balancer.h"

#include <algorithm>

namespace weir::upstream {

bool LoadBalancer::later(const Entry& a, const Entry& b) noexcept {
  return a.deadline != b.deadline ? a.deadline > b.deadline : a.order > b.order;
}

void LoadBalancer::reset(LbPolicy policy, uint32_t choices, std::vector<uint32_t> weights) {
  policy_ = policy;
  choices_ = std::max<uint32_t>(choices, 2);
  weights_ = std::move(weights);
  for (uint32_t& weight : weights_) weight = std::max<uint32_t>(weight, 1);
  weighted_ =
      policy != LbPolicy::kRandom &&
      std::adjacent_find(weights_.begin(), weights_.end(), std::not_equal_to<>()) != weights_.end();
  heap_.clear();
  order_ = 0;
  if (weights_.empty()) return;
  // Workers begin at different places, or all of them would send their first request to the first host.
  next_ = random_.below(static_cast<uint32_t>(weights_.size()));
  if (!weighted_) return;
  for (uint32_t host = 0; host < weights_.size(); ++host)
    heap_.push_back({1.0 / weights_[host], order_++, host});
  std::make_heap(heap_.begin(), heap_.end(), later);
  uint64_t total = 0;
  for (const uint32_t weight : weights_) total += weight;
  const auto skip = random_.below(static_cast<uint32_t>(std::min<uint64_t>(total, 1024)));
  for (uint32_t i = 0; i < skip; ++i) reschedule(1);
}

void LoadBalancer::reschedule(uint64_t load) noexcept {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  Entry& entry = heap_.back();
  entry.deadline += static_cast<double>(load) / weights_[entry.host];
  entry.order = order_++;
  std::push_heap(heap_.begin(), heap_.end(), later);
}

}  // namespace weir::upstream
