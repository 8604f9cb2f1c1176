#include "stats/store.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "stats/metrics.h"
#include "stats/tags.h"

namespace weir::stats {
namespace {

HistogramSnapshot snapshot_of(const Store& store, std::string_view name) {
  struct Find : Visitor {
    void on_counter(std::string_view, uint64_t, bool) override {}
    void on_gauge(std::string_view, int64_t, bool) override {}
    void on_histogram(std::string_view found, const HistogramSnapshot& value, bool) override {
      if (found == name) snapshot = value;
    }
    std::string_view name;
    HistogramSnapshot snapshot;
  } find;
  find.name = name;
  store.visit(find);
  return find.snapshot;
}

TEST(Store, SameNameIsTheSameMetric) {
  Store store(3);
  Counter& counter = store.counter("a.b");
  EXPECT_EQ(&store.scope("a")->counter("b"), &counter);
  EXPECT_EQ(&store.scope("a.")->counter("b"), &counter);
  EXPECT_EQ(&store.gauge("g"), &store.gauge("g"));
  EXPECT_EQ(&store.histogram("h"), &store.histogram("h"));
  store.scope("listener.127.0.0.1:80")->scope("http")->counter("x").inc();
  EXPECT_EQ(store.counter_value("listener.127.0.0.1_80.http.x"), 1u);
  EXPECT_EQ(store.counter_value("absent"), 0u);
}

TEST(Store, ThreadsAreMergedAndUnknownOnesCounted) {
  Store store(3);
  std::vector<Counter*> counters;
  for (int i = 0; i < 200; ++i) counters.push_back(&store.counter("c" + std::to_string(i)));
  Gauge& gauge = store.gauge("g");
  Histogram& histogram = store.histogram("h");
  std::vector<std::thread> threads;
  // Two workers with cells of their own, one thread beyond the store's, two that share index 0.
  for (const unsigned index : {1u, 2u, 9u, 0u, 0u}) {
    threads.emplace_back([&, index] {
      set_thread_index(index);
      for (int i = 0; i < 10000; ++i) {
        counters[static_cast<size_t>(i) % 200]->inc();
        gauge.inc();
        if (i % 2 == 0) gauge.dec();
        histogram.record(static_cast<uint64_t>(i));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(store.counter_value("c" + std::to_string(i)), 250u);
  EXPECT_EQ(store.gauge_value("g"), 25000);
  EXPECT_EQ(snapshot_of(store, "h").count, 50000u);
  EXPECT_EQ(snapshot_of(store, "h").sum, 5ull * 9999 * 10000 / 2);
}

TEST(Store, GaugesGoDownAndAreSet) {
  Store store(2);
  Gauge& gauge = store.gauge("g");
  gauge.add(-5);
  EXPECT_EQ(store.gauge_value("g"), -5);
  store.gauge("s").set(7);
  store.gauge("s").set(3);
  EXPECT_EQ(store.gauge_value("s"), 3);
}

TEST(Store, ResetMovesTheBaselineOfCountersAndHistograms) {
  Store store(2);
  store.counter("c").add(5);
  store.gauge("g").add(5);
  store.histogram("h").record(10);
  store.reset_counters();
  EXPECT_EQ(store.counter_value("c"), 0u);
  EXPECT_EQ(store.gauge_value("g"), 5);
  EXPECT_EQ(snapshot_of(store, "h").count, 0u);
  store.counter("c").add(2);
  store.histogram("h").record(20);
  EXPECT_EQ(store.counter_value("c"), 2u);
  EXPECT_EQ(snapshot_of(store, "h").count, 1u);
  EXPECT_EQ(snapshot_of(store, "h").sum, 20u);
}

TEST(Histogram, EveryValueFallsIntoTheBucketThatHoldsIt) {
  uint64_t value = 0;
  while (value < (1ull << 40)) {
    const size_t i = buckets::index_of(value);
    ASSERT_LE(value, buckets::bound(i)) << value;
    ASSERT_TRUE(i == 0 || value > buckets::bound(i - 1)) << value;
    value += 1 + value / 37;
  }
  EXPECT_EQ(buckets::index_of(UINT64_MAX), buckets::kCount - 1);
}

TEST(Histogram, CumulativeCountsAreExactAtEnvoysBounds) {
  Store store(1);
  Histogram& histogram = store.histogram("h");
  for (const uint64_t v : {0, 1, 5, 6, 250, 251, 60000, 60001, 1800000, 3600000, 3600001})
    histogram.record(v);
  const HistogramSnapshot snapshot = snapshot_of(store, "h");
  ASSERT_EQ(snapshot.cumulative.size(), 19u);
  const auto at = [&snapshot](double bound) {
    for (const auto& [upper, count] : snapshot.cumulative) {
      if (upper == bound) return count;
    }
    return uint64_t{999};
  };
  EXPECT_EQ(at(0.5), 1u);
  EXPECT_EQ(at(1), 2u);
  EXPECT_EQ(at(5), 3u);
  EXPECT_EQ(at(10), 4u);
  EXPECT_EQ(at(250), 5u);
  EXPECT_EQ(at(500), 6u);
  EXPECT_EQ(at(60000), 7u);
  EXPECT_EQ(at(300000), 8u);
  EXPECT_EQ(at(1800000), 9u);
  EXPECT_EQ(at(3600000), 10u);
  EXPECT_EQ(snapshot.count, 11u);
}

TEST(Histogram, QuantilesAreCloseToTheTruth) {
  Store store(1);
  EXPECT_TRUE(std::isnan(HistogramSnapshot{}.quantile(0.5)));
  for (uint64_t v = 1; v <= 10000; ++v) store.histogram("h").record(v);
  const HistogramSnapshot snapshot = snapshot_of(store, "h");
  for (const double q : {0.1, 0.25, 0.5, 0.9, 0.99, 1.0}) {
    EXPECT_NEAR(snapshot.quantile(q), q * 10000, q * 10000 * 0.05) << q;
  }
  store.histogram("one").record(7);
  EXPECT_EQ(snapshot_of(store, "one").quantile(0.5), 7);
}

TEST(Store, ManyMetricsKeepTheirCells) {
  Store store(2);
  for (int i = 0; i < 3000; ++i)
    store.counter("c" + std::to_string(i)).add(static_cast<uint64_t>(i));
  for (int i = 0; i < 3000; ++i)
    ASSERT_EQ(store.counter_value("c" + std::to_string(i)), static_cast<uint64_t>(i));
}

class Output : public testing::Test {
 protected:
  void SetUp() override {
    store_.counter("http.ingress.downstream_rq_2xx").add(3);
    store_.counter("http.ingress.downstream_rq_5xx");
    store_.gauge("server.live").set(1);
    store_.counter("cluster.origin.upstream_rq_200").add(2);
    store_.counter("cluster.origin.upstream_rq_503").add(1);
    for (uint64_t v : {1, 2, 300}) store_.histogram("cluster.origin.upstream_rq_time").record(v);
    store_.histogram("cluster.origin.upstream_cx_length_ms");
    store_.counter("wasmcustom.my.count").inc();
  }
  Store store_{2};
};

TEST_F(Output, Text) {
  const std::string text = to_text(store_, "", false);
  EXPECT_EQ(text.substr(0, text.find("cluster.origin.upstream_cx")),
            "cluster.origin.upstream_rq_200: 2\ncluster.origin.upstream_rq_503: 1\n"
            "http.ingress.downstream_rq_2xx: 3\nhttp.ingress.downstream_rq_5xx: 0\n"
            "server.live: 1\nwasmcustom.my.count: 1\n");
  EXPECT_NE(text.find("cluster.origin.upstream_cx_length_ms: No recorded values\n"),
            std::string::npos);
  EXPECT_NE(text.find("cluster.origin.upstream_rq_time: P0(nan,1) P25(nan,1) P50(nan,2) "),
            std::string::npos)
      << text;
  EXPECT_EQ(to_text(store_, "downstream", false),
            "http.ingress.downstream_rq_2xx: 3\nhttp.ingress.downstream_rq_5xx: 0\n");
  EXPECT_EQ(to_text(store_, "downstream", true), "http.ingress.downstream_rq_2xx: 3\n");
  EXPECT_NE(to_text(store_, "(", false).find("invalid regex"), std::string::npos);
}

TEST_F(Output, Json) {
  const std::string json = to_json(store_, "", false);
  EXPECT_TRUE(base::json_valid(json)) << json;
  EXPECT_NE(json.find("{\"name\":\"http.ingress.downstream_rq_2xx\",\"value\":3}"),
            std::string::npos);
  EXPECT_NE(json.find("\"supported_quantiles\":[0,25,50,75,90,95,99,99.5,99.9,100]"),
            std::string::npos)
      << json;
  EXPECT_TRUE(base::json_valid(to_json(store_, "none", false)));
  EXPECT_TRUE(base::json_valid(to_json(store_, "(\"", false)));
}

TEST_F(Output, Prometheus) {
  const std::string text = to_prometheus(store_, "", false);
  for (const char* expected : {
           "# TYPE envoy_http_downstream_rq_xx counter\n"
           "envoy_http_downstream_rq_xx{envoy_response_code_class=\"2\",envoy_http_conn_manager_"
           "prefix=\"ingress\"} 3\n"
           "envoy_http_downstream_rq_xx{envoy_response_code_class=\"5\",envoy_http_conn_manager_"
           "prefix=\"ingress\"} 0\n",
           "envoy_cluster_upstream_rq{envoy_response_code=\"200\",envoy_cluster_name=\"origin\"} "
           "2\n",
           "# TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n",
           "# TYPE my_count counter\nmy_count{} 1\n",
           "# TYPE envoy_cluster_upstream_rq_time histogram\n",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"origin\",le=\"0.5\"} 0\n",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"origin\",le=\"250\"} 2\n",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"origin\",le=\"3600000\"} "
           "3\n",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"origin\",le=\"+Inf\"} 3\n",
           "envoy_cluster_upstream_rq_time_sum{envoy_cluster_name=\"origin\"} 303\n",
           "envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"origin\"} 3\n",
       }) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\nin\n" << text;
  }
  // One TYPE line per family.
  const std::string type = "# TYPE envoy_http_downstream_rq_xx ";
  EXPECT_EQ(text.find(type, text.find(type) + 1), std::string::npos);
}

std::string tagged(std::string_view name) {
  const TaggedName tagged = extract_tags(name);
  std::string text = tagged.name;
  for (const auto& [key, value] : tagged.tags) text += " " + key + "=" + value;
  return text;
}

TEST(Tags, AreEnvoys) {
  EXPECT_EQ(tagged("cluster.c1.circuit_breakers.default.cx_open"),
            "envoy_cluster_circuit_breakers_default_cx_open envoy_cluster_name=c1");
  EXPECT_EQ(tagged("cluster.a.b.upstream_rq_2xx"),
            "envoy_cluster_upstream_rq_xx envoy_response_code_class=2 envoy_cluster_name=a.b");
  EXPECT_EQ(tagged("cluster.c1.something"), "envoy_cluster_something envoy_cluster_name=c1");
  EXPECT_EQ(tagged("listener.0.0.0.0_8080.downstream_cx_total"),
            "envoy_listener_downstream_cx_total envoy_listener_address=0.0.0.0_8080");
  EXPECT_EQ(tagged("listener.[__1]_80.http.in.downstream_rq_2xx"),
            "envoy_listener_http_downstream_rq_xx envoy_response_code_class=2 "
            "envoy_listener_address=[__1]_80 "
            "envoy_http_conn_manager_prefix=in");
  EXPECT_EQ(tagged("listener.my_prefix.downstream_cx_total"),
            "envoy_listener_my_prefix_downstream_cx_total");
  EXPECT_EQ(tagged("listener.admin.downstream_cx_total"),
            "envoy_listener_admin_downstream_cx_total");
  EXPECT_EQ(tagged("listener_manager.listener_added"), "envoy_listener_manager_listener_added");
  EXPECT_EQ(tagged("http.in.http_local_rate_limit.x"),
            "envoy_http_http_local_rate_limit_x envoy_http_conn_manager_prefix=in");
  EXPECT_EQ(tagged("limiter.http_local_rate_limit.ok"),
            "envoy_http_local_rate_limit_ok envoy_local_http_ratelimit_prefix=limiter");
  EXPECT_EQ(tagged("tcp.t.downstream_cx_total"),
            "envoy_tcp_downstream_cx_total envoy_tcp_prefix=t");
  EXPECT_EQ(tagged("vhost.v.vcluster.c.upstream_rq_404"),
            "envoy_vhost_vcluster_upstream_rq envoy_response_code=404 envoy_virtual_host=v "
            "envoy_virtual_cluster=c");
  EXPECT_EQ(tagged("wasm.envoy.wasm.runtime.v8.active"), "envoy_wasm_envoy_wasm_runtime_v8_active");
  EXPECT_EQ(tagged("wasm_shared_data.my.id.cas_conflicts"),
            "envoy_wasm_shared_data_cas_conflicts weir_wasm_vm_id=my.id");
  EXPECT_EQ(tagged("wasm_queues.q.length"), "envoy_wasm_queues_length weir_wasm_vm_id=q");
  EXPECT_EQ(tagged("wasmcustom.9lives-x"), "_9lives_x");
  EXPECT_EQ(tagged("http.in"), "envoy_http_in");
  EXPECT_EQ(tagged("x_rq_1xy"), "envoy_x_rq_1xy");
}

}  // namespace
}  // namespace weir::stats
