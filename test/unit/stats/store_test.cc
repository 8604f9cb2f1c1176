#include "stats/store.h"

#include <gtest/gtest.h>

#include <thread>

namespace weir::stats {
namespace {

TEST(Store, CountsFromSeveralThreadsWithoutLoss) {
  Store store(3);
  Counter& counter = store.counter("c");
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([i, &counter] {
      set_thread_index(i < 2 ? 0 : i - 1);  // two share the common cell
      for (int k = 0; k < 10'000; ++k) counter.inc();
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(store.counter_value("c"), 40'000u);
}

TEST(Store, OneNameIsOneMetric) {
  Store store(1);
  store.scope("http.a")->counter("x").inc();
  store.counter("http.a.x").inc();
  EXPECT_EQ(store.counter_value("http.a.x"), 2u);
  EXPECT_EQ(store.counter_value("nothing"), 0u);
}

TEST(Store, GaugesGoBothWays) {
  Store store(2);
  store.gauge("g").add(5);
  store.gauge("g").dec();
  EXPECT_EQ(store.gauge_value("g"), 4);
  store.gauge("s").set(-3);
  EXPECT_EQ(store.gauge_value("s"), -3);
}

TEST(Store, ResetCountersStartsFromZero) {
  Store store(1);
  store.counter("c").add(7);
  store.gauge("g").add(7);
  store.histogram("h").record(7);
  store.reset_counters();
  store.counter("c").inc();
  EXPECT_EQ(store.counter_value("c"), 1u);
  EXPECT_EQ(store.gauge_value("g"), 7);
  EXPECT_NE(to_text(store, "^h$", false).find("No recorded values"), std::string::npos);
}

TEST(Store, ManyMetricsKeepTheirCells) {
  Store store(2);
  for (int i = 0; i < 3000; ++i) store.counter("c" + std::to_string(i)).add(static_cast<uint64_t>(i));
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(store.counter_value("c" + std::to_string(i)), static_cast<uint64_t>(i));
}

TEST(Render, TextFiltersAndHidesUnused) {
  Store store(1);
  store.counter("http.a.rq").add(2);
  store.counter("http.b.rq");
  EXPECT_EQ(to_text(store, "", true), "http.a.rq: 2\n");
  EXPECT_EQ(to_text(store, "b", false), "http.b.rq: 0\n");
}

TEST(Render, HistogramQuantilesLieInTheRightBucket) {
  Store store(1);
  Histogram& histogram = store.histogram("t");
  for (int i = 0; i < 99; ++i) histogram.record(3);
  histogram.record(2000);
  class Seen final : public Visitor {
   public:
    void on_counter(std::string_view, uint64_t, bool) override {}
    void on_gauge(std::string_view, int64_t, bool) override {}
    void on_histogram(std::string_view, const HistogramSnapshot& value, bool) override { snapshot = value; }
    HistogramSnapshot snapshot;
  } seen;
  store.visit(seen);
  EXPECT_EQ(seen.snapshot.count, 100u);
  EXPECT_EQ(seen.snapshot.sum, 99u * 3 + 2000);
  EXPECT_GT(seen.snapshot.quantile(0.5), 1);
  EXPECT_LE(seen.snapshot.quantile(0.5), 5);
  EXPECT_GT(seen.snapshot.quantile(1), 1000);
}

TEST(Render, PrometheusTakesTagsOutOfNames) {
  Store store(1);
  store.counter("cluster.a.b.upstream_rq_2xx").add(4);
  store.counter("cluster.c.upstream_rq_200").add(5);
  store.counter("http.ingress.downstream_rq_total").add(6);
  store.counter("listener.127.0.0.1_80.downstream_cx_total").add(7);
  store.counter("wasmcustom.my_metric").add(8);
  store.histogram("http.ingress.downstream_rq_time").record(12);
  const std::string text = to_prometheus(store, "", false);
  for (const char* line :
       {"envoy_cluster_upstream_rq_xx{envoy_cluster_name=\"a.b\",envoy_response_code_class=\"2\"} 4\n",
        "envoy_cluster_upstream_rq{envoy_cluster_name=\"c\",envoy_response_code=\"200\"} 5\n",
        "envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix=\"ingress\"} 6\n",
        "envoy_listener_downstream_cx_total{envoy_listener_address=\"127.0.0.1_80\"} 7\n", "\nmy_metric{} 8\n",
        "envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix=\"ingress\",le=\"25\"} 1\n",
        "envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix=\"ingress\"} 1\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
}

}  // namespace
}  // namespace weir::stats
