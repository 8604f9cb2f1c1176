#include "upstream/load_balancer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace weir::upstream {
namespace {

std::vector<int> spread(LoadBalancer& balancer, size_t hosts, int picks,
                        const std::vector<uint32_t>& load = {}) {
  std::vector<int> counts(hosts);
  for (int i = 0; i < picks; ++i)
    ++counts[balancer.pick([&load](size_t host) { return load.empty() ? 0U : load[host]; })];
  return counts;
}

TEST(LoadBalancer, RoundRobinGivesEachHostItsTurn) {
  LoadBalancer balancer(7);
  balancer.reset(LbPolicy::kRoundRobin, 2, {1, 1, 1});
  EXPECT_EQ(spread(balancer, 3, 3), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(spread(balancer, 3, 300), (std::vector<int>{100, 100, 100}));
}

TEST(LoadBalancer, WorkersBeginAtDifferentHosts) {
  std::vector<int> firsts(4);
  for (uint64_t seed = 1; seed <= 64; ++seed) {
    LoadBalancer balancer(seed * 0x9E3779B97F4A7C15ULL);
    balancer.reset(LbPolicy::kRoundRobin, 2, {1, 1, 1, 1});
    ++firsts[balancer.pick([](size_t) { return 0U; })];
  }
  EXPECT_GT(*std::min_element(firsts.begin(), firsts.end()), 4);
}

TEST(LoadBalancer, WeightedRoundRobinIsExactAndSmooth) {
  LoadBalancer balancer(3);
  balancer.reset(LbPolicy::kRoundRobin, 2, {5, 1, 2});
  EXPECT_EQ(spread(balancer, 3, 800), (std::vector<int>{500, 100, 200}));
  // Never more than three times the heavy host in a row: 5 of 8 interleave with 3 others.
  int run = 0, longest = 0;
  for (int i = 0; i < 800; ++i) {
    run = balancer.pick([](size_t) { return 0U; }) == 0 ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  EXPECT_LE(longest, 3);
}

TEST(LoadBalancer, LeastRequestAvoidsTheLoadedHost) {
  LoadBalancer balancer(11);
  balancer.reset(LbPolicy::kLeastRequest, 2, {1, 1, 1});
  const std::vector<int> counts = spread(balancer, 3, 900, {0, 10, 0});
  // The loaded host is taken only when both choices fall on it: 1 of 9.
  EXPECT_NEAR(counts[1], 100, 40);
  EXPECT_NEAR(counts[0], 400, 60);
}

TEST(LoadBalancer, LeastRequestWithAllHostsAsChoicesIsExact) {
  LoadBalancer balancer(11);
  balancer.reset(LbPolicy::kLeastRequest, 64, {1, 1});
  EXPECT_EQ(spread(balancer, 2, 100, {3, 2}), (std::vector<int>{0, 100}));
}

TEST(LoadBalancer, WeightedLeastRequestSharesByWeightWhenIdleAndBacksOffUnderLoad) {
  LoadBalancer balancer(5);
  balancer.reset(LbPolicy::kLeastRequest, 2, {3, 1});
  EXPECT_EQ(spread(balancer, 2, 400), (std::vector<int>{300, 100}));
  const std::vector<int> loaded = spread(balancer, 2, 400, {8, 0});
  EXPECT_LT(loaded[0], loaded[1]);
}

TEST(LoadBalancer, RandomReachesEveryHost) {
  LoadBalancer balancer(13);
  balancer.reset(LbPolicy::kRandom, 2, {1, 1, 1, 1});
  for (const int count : spread(balancer, 4, 4000)) EXPECT_NEAR(count, 1000, 150);
}

TEST(LoadBalancer, OneHostNeedsNoChoice) {
  for (const LbPolicy policy :
       {LbPolicy::kRoundRobin, LbPolicy::kLeastRequest, LbPolicy::kRandom}) {
    LoadBalancer balancer(1);
    balancer.reset(policy, 2, {4});
    EXPECT_EQ(spread(balancer, 1, 10), (std::vector<int>{10}));
  }
}

}  // namespace
}  // namespace weir::upstream
