// How many metrics guests may define.
#include <gtest/gtest.h>

#include "wasm/metrics.h"

namespace weir::wasm {
namespace {

TEST(CustomMetrics, EachPluginHasItsShareOfTheProcess) {
  stats::Store store(1);
  CustomMetrics metrics(store);
  CustomMetric* const first = metrics.define(MetricType::kCounter, "a", "p", 2);
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(metrics.define(MetricType::kCounter, "a", "p", 2), first)
      << "another worker's VM defines it as well";
  EXPECT_NE(metrics.define(MetricType::kGauge, "b", "p", 2), nullptr);
  EXPECT_EQ(metrics.define(MetricType::kCounter, "c", "p", 2), nullptr);
  EXPECT_EQ(metrics.define(MetricType::kCounter, "a", "p", 2), first);
  EXPECT_NE(metrics.define(MetricType::kCounter, "c", "q", 2), nullptr);
  EXPECT_NE(metrics.define(MetricType::kCounter, "c", "p", 2), nullptr) << "it is the other's";
}

TEST(CustomMetrics, ANameHasOneType) {
  stats::Store store(1);
  CustomMetrics metrics(store);
  EXPECT_NE(metrics.define(MetricType::kCounter, "a", "p", 9), nullptr);
  EXPECT_EQ(metrics.define(MetricType::kGauge, "a", "p", 9), nullptr);
}

}  // namespace
}  // namespace weir::wasm
