#include "filters/http/grpc_stats/grpc_stats_filter.h"

#include <thread>

#include "filters/http/grpc_stats/call_stats.h"
#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

using namespace std::string_literals;

const std::string kMessage = "\0\0\0\0\2ab"s;

class GrpcStatsTest : public FilterTest {
 protected:
  void build(Object options) {
    factory = make(&make_grpc_stats, std::move(options));
    ASSERT_EQ(errors, std::vector<std::string>());
  }
  void request(std::string_view path, std::string_view type = "application/grpc",
               std::string cluster = "c") {
    stream = std::make_unique<FakeStream>();
    stream->clusters.hosts["c"] = {};
    stream->cluster = std::move(cluster);
    stream->request.set_path(path);
    stream->request.headers.set("content-type", type);
    filter = attach(*factory, *stream);
    EXPECT_EQ(filter->on_request_head(stream->request, EndStream::kNo), Flow::kContinue);
    Buffer data(kMessage + kMessage);
    EXPECT_EQ(filter->on_request_body(data, EndStream::kYes), Flow::kContinue);
    EXPECT_EQ(data.size(), 2 * kMessage.size());
  }
  void respond(std::string_view status) {
    stream->response.headers.set("content-type", "application/grpc");
    filter->on_response_head(stream->response, EndStream::kNo);
    Buffer data(kMessage);
    filter->on_response_body(data, EndStream::kNo);
    HeaderMap trailers;
    trailers.set("grpc-status", status);
    filter->on_response_trailers(trailers);
    filter->on_stream_end(stream->info);
  }
  uint64_t count(std::string_view name) {
    return store.counter_value("cluster.c.grpc." + std::string(name));
  }
  std::shared_ptr<const HttpFilterFactory> factory;
  std::unique_ptr<FakeStream> stream;
  std::unique_ptr<HttpFilter> filter;
};

TEST_F(GrpcStatsTest, CountsCallsAndMessages) {
  build({});
  request("/a.b.Service/Get");
  respond("0");
  request("/a.b.Service/Get");
  respond("14");
  EXPECT_EQ(count("success"), 1u);
  EXPECT_EQ(count("failure"), 1u);
  EXPECT_EQ(count("total"), 2u);
  EXPECT_EQ(count("0"), 1u);
  EXPECT_EQ(count("14"), 1u);
  EXPECT_EQ(count("request_message_count"), 4u);
  EXPECT_EQ(count("response_message_count"), 2u);
  EXPECT_EQ(stream->info.filter_state("envoy.filters.http.grpc_stats"), nullptr);
}

TEST_F(GrpcStatsTest, TrailersOnlyAnswersAndStrangeStatuses) {
  build({});
  request("/s/m");
  stream->response.headers.set("content-type", "application/grpc");
  stream->response.headers.set("grpc-status", "7");
  filter->on_response_head(stream->response, EndStream::kYes);
  EXPECT_EQ(count("7"), 1u);
  for (const char* status : {"17", "x", "", "000", "-1"}) {
    request("/s/m");
    respond(status);
  }
  EXPECT_EQ(count("failure"), 6u);
  EXPECT_EQ(count("total"), 6u);
}

TEST_F(GrpcStatsTest, ListedMethodsHaveTheirOwn) {
  const auto allowlist = [](bool replace) {
    return Object{{"individual_method_stats_allowlist",
                   Object{{"services", List{Object{{"name", "a.b.Service"},
                                                   {"method_names", List{"Get", "Put"}}}}}}},
                  {"replace_dots_in_grpc_service_name", replace}};
  };
  build(allowlist(false));
  request("/a.b.Service/Get");
  respond("0");
  request("/a.b.Service/Other");
  respond("0");
  EXPECT_EQ(count("a.b.Service.Get.success"), 1u);
  EXPECT_EQ(count("a.b.Service.Put.success"), 0u);
  EXPECT_EQ(count("success"), 1u);
  build(allowlist(true));
  request("/a.b.Service/Put");
  respond("0");
  EXPECT_EQ(count("a_b_Service.Put.total"), 1u);
}

TEST_F(GrpcStatsTest, NothingOfOthers) {
  build({});
  request("/s/m", "application/json");
  respond("0");
  request("/s/m", "application/grpc", "");
  respond("0");
  request("/s/m", "application/grpc", "nobody");  // a name that a request's header brought
  respond("0");
  EXPECT_EQ(count("total"), 0u);
  EXPECT_EQ(store.counter_value("cluster.nobody.grpc.total"), 0u);
}

TEST_F(GrpcStatsTest, FilterStateAndTime) {
  build({{"emit_filter_state", true}, {"enable_upstream_stats", true}});
  request("/s/m");
  stream->info.upstream_first_tx = MonotonicTime(std::chrono::milliseconds(10));
  stream->info.upstream_last_rx = MonotonicTime(std::chrono::milliseconds(35));
  respond("0");
  const std::string* state = stream->info.filter_state("envoy.filters.http.grpc_stats");
  ASSERT_NE(state, nullptr);
  EXPECT_EQ(*state, "request_message_count=2,response_message_count=1");
  EXPECT_NE(stats::to_text(store, "grpc.upstream_rq_time", false).find("upstream_rq_time"),
            std::string::npos);
}

TEST_F(GrpcStatsTest, AllMethodsHaveTheirOwnUpToALimit) {
  build({{"stats_for_all_methods", true}});
  request("/a.b.Service/Get");
  respond("0");
  request("/a.b.Service/Get");
  respond("0");
  EXPECT_EQ(count("a.b.Service.Get.success"), 2u);
  EXPECT_EQ(count("total"), 0u);
  const std::string_view others[] = {"/a", "/a/", "//b", "/a/b/c", "/a/b?c", "/a b/c", "/a/\x80"};
  for (const std::string_view other : others) {
    request(other);
    respond("0");
  }
  request("/" + std::string(LearntCalls::kMaxPath, 'a') + "/b");
  respond("0");
  EXPECT_EQ(count("total"), std::size(others) + 1);
  // What one generation has learnt the next one finds, also when there is no room any more.
  build({{"stats_for_all_methods", true}, {"replace_dots_in_grpc_service_name", true}});
  for (size_t i = 1; i <= LearntCalls::kLimit; ++i) {
    request("/a.b/m" + std::to_string(i));
    respond("0");
  }
  EXPECT_EQ(count("a_b.m1.total"), 1u);
  EXPECT_EQ(count("a_b.m" + std::to_string(LearntCalls::kLimit - 1) + ".total"), 1u);
  EXPECT_EQ(count("a_b.m" + std::to_string(LearntCalls::kLimit) + ".total"), 0u);
  EXPECT_EQ(count("total"), std::size(others) + 2);
  build({{"stats_for_all_methods", true}});
  request("/a.b.Service/Get");
  respond("0");
  EXPECT_EQ(count("a.b.Service.Get.success"), 3u);
}

TEST_F(GrpcStatsTest, Mistakes) {
  make(&make_grpc_stats,
       {{"individual_method_stats_allowlist", Object{{"services", List{Object{{"name", "a"}}}}}}});
  EXPECT_EQ(errors.size(), 1u);
  make(&make_grpc_stats, {{"stats_for_all_methods", false}});
  EXPECT_TRUE(errors.empty());
}

TEST(CallStatsTable, WorkersFindTheSame) {
  stats::Store store{4};
  const auto root = store.scope("");
  const CallStatsTable table(*root, {{"/s/m", "s.m"}}, {});
  std::vector<std::thread> threads;
  for (int worker = 0; worker < 4; ++worker)
    threads.emplace_back([&table] {
      for (int i = 0; i < 1000; ++i)
        table.find("cluster" + std::to_string(i % 100), i % 2 == 0 ? "/s/m" : "/s/n").finish("0");
    });
  for (auto& thread : threads) thread.join();
  uint64_t calls = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string prefix = "cluster.cluster" + std::to_string(i) + ".grpc.";
    calls += store.counter_value(prefix + "total") + store.counter_value(prefix + "s.m.total");
  }
  EXPECT_EQ(calls, 4000u);
}

}  // namespace
}  // namespace weir::filters::test
