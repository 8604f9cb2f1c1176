#include "filters/http/fault/fault_filter.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

using std::chrono::milliseconds;

Value percent(int n) { return Object{{"numerator", n}}; }
Object delay(const char* time, int n = 100) {
  return {{"fixed_delay", time}, {"percentage", percent(n)}};
}
Object abort_with(int status, int n = 100) {
  return {{"http_status", status}, {"percentage", percent(n)}};
}

class FaultTest : public FilterTest {
 protected:
  using Headers = std::vector<std::pair<const char*, const char*>>;
  Flow request(FakeStream& stream, const Headers& headers = {}) {
    stream.request.set_path("/x");
    for (const auto& [name, value] : headers) stream.request.headers.add(name, value);
    filters.push_back(attach(*factory, stream));
    return filters.back()->on_request_head(stream.request, EndStream::kYes);
  }
  void build(Object options) {
    factory = make(&make_fault, std::move(options));
    ASSERT_EQ(errors, std::vector<std::string>());
  }
  uint64_t count(std::string_view name) {
    return store.counter_value("http.ingress.fault." + std::string(name));
  }
  int64_t active() { return store.gauge_value("http.ingress.fault.active_faults"); }

  std::shared_ptr<const HttpFilterFactory> factory;
  std::vector<std::unique_ptr<HttpFilter>> filters;
};

TEST_F(FaultTest, Delays) {
  build({{"delay", delay("1.5s")}});
  FakeStream stream;
  EXPECT_EQ(request(stream), Flow::kPauseAll);
  EXPECT_EQ(stream.delays, std::vector<milliseconds>{milliseconds(1500)});
  EXPECT_TRUE(stream.info.has_flag(ResponseFlag::kDelayInjected));
  EXPECT_EQ(active(), 1);
  EXPECT_EQ(stream.continued, 0);
  stream.fire();
  EXPECT_EQ(stream.continued, 1);
  EXPECT_TRUE(stream.replies.empty());
  filters[0]->on_stream_end(stream.info);
  EXPECT_EQ(active(), 0);
  EXPECT_EQ(count("delays_injected"), 1u);
  EXPECT_EQ(count("aborts_injected"), 0u);
}

TEST_F(FaultTest, Aborts) {
  build({{"abort", abort_with(503)}});
  FakeStream stream;
  EXPECT_EQ(request(stream), Flow::kReplied);
  ASSERT_EQ(stream.replies.size(), 1u);
  EXPECT_EQ(stream.replies[0].status, 503);
  EXPECT_EQ(stream.replies[0].grpc_status, -1);
  EXPECT_EQ(stream.replies[0].body, "fault filter abort");
  EXPECT_EQ(stream.replies[0].details, "fault_filter_abort");
  EXPECT_TRUE(stream.info.has_flag(ResponseFlag::kFaultInjected));
  EXPECT_EQ(count("aborts_injected"), 1u);
}

TEST_F(FaultTest, AbortsWithAGrpcStatus) {
  build({{"abort", Object{{"grpc_status", 5}, {"percentage", percent(100)}}}});
  FakeStream stream;
  EXPECT_EQ(request(stream), Flow::kReplied);
  EXPECT_EQ(stream.replies.at(0).status, 200);
  EXPECT_EQ(stream.replies.at(0).grpc_status, 5);
}

TEST_F(FaultTest, AnAnswerMayFollowADelay) {
  build({{"delay", delay("1s")}, {"abort", abort_with(404)}});
  FakeStream stream;
  EXPECT_EQ(request(stream), Flow::kPauseAll);
  EXPECT_TRUE(stream.replies.empty());
  stream.fire();
  EXPECT_EQ(stream.replies.at(0).status, 404);
  EXPECT_EQ(stream.continued, 0);
  filters[0]->on_stream_end(stream.info);
  EXPECT_EQ(active(), 0);
}

TEST_F(FaultTest, NothingWithoutAPercentage) {
  build({{"delay", Object{{"fixed_delay", "1s"}}}, {"abort", abort_with(503, 0)}});
  FakeStream stream;
  EXPECT_EQ(request(stream), Flow::kContinue);
  EXPECT_EQ(active(), 0);
}

TEST_F(FaultTest, HeadersControl) {
  build({{"delay", Object{{"header_delay", Object{}}, {"percentage", percent(100)}}},
         {"abort", Object{{"header_abort", Object{}}, {"percentage", percent(100)}}}});
  FakeStream nothing, late, refused, grpc, bad, never, zero;
  EXPECT_EQ(request(nothing), Flow::kContinue);
  EXPECT_EQ(request(late, {{"x-envoy-fault-delay-request", "250"}}), Flow::kPauseAll);
  EXPECT_EQ(late.delays.at(0), milliseconds(250));
  EXPECT_EQ(request(refused, {{"x-envoy-fault-abort-request", "418"}}), Flow::kReplied);
  EXPECT_EQ(refused.replies.at(0).status, 418);
  EXPECT_EQ(request(grpc, {{"x-envoy-fault-abort-grpc-request", "16"}}), Flow::kReplied);
  EXPECT_EQ(grpc.replies.at(0).status, 200);
  EXPECT_EQ(grpc.replies.at(0).grpc_status, 16);
  EXPECT_EQ(request(bad, {{"x-envoy-fault-abort-request", "99"},
                          {"x-envoy-fault-abort-grpc-request", "17"},
                          {"x-envoy-fault-delay-request", "1 s"}}),
            Flow::kContinue);
  EXPECT_EQ(request(never, {{"x-envoy-fault-abort-request", "418"},
                            {"x-envoy-fault-abort-request-percentage", "0"},
                            {"x-envoy-fault-delay-request", "1"},
                            {"x-envoy-fault-delay-request-percentage", "0"}}),
            Flow::kContinue);
  EXPECT_EQ(request(zero, {{"x-envoy-fault-delay-request", "0"}}), Flow::kContinue);
}

TEST_F(FaultTest, OnlyForWhatItNames) {
  build({{"abort", abort_with(503)},
         {"headers", List{Object{{"name", "x-fault"}, {"present_match", true}}}},
         {"downstream_nodes", List{"one", "two"}},
         {"upstream_cluster", "there"}});
  const Headers all = {{"x-fault", "1"}, {"x-envoy-downstream-service-node", "two"}};
  FakeStream here, there, other_node, no_header;
  there.cluster = other_node.cluster = no_header.cluster = "there";
  EXPECT_EQ(request(here, all), Flow::kContinue);
  EXPECT_EQ(request(there, all), Flow::kReplied);
  EXPECT_EQ(request(other_node, {{"x-fault", "1"}, {"x-envoy-downstream-service-node", "three"}}),
            Flow::kContinue);
  EXPECT_EQ(request(no_header, {{"x-envoy-downstream-service-node", "one"}}), Flow::kContinue);
}

TEST_F(FaultTest, ActiveFaultsAreLimited) {
  build({{"delay", delay("1s")}, {"max_active_faults", 1}});
  FakeStream first, second, third;
  EXPECT_EQ(request(first), Flow::kPauseAll);
  EXPECT_EQ(request(second), Flow::kContinue);
  EXPECT_EQ(count("faults_overflow"), 1u);
  filters[1]->on_stream_end(second.info);
  filters[0]->on_stream_end(first.info);
  EXPECT_EQ(active(), 0);
  EXPECT_EQ(request(third), Flow::kPauseAll);
}

TEST_F(FaultTest, ResponsesComeInSlices) {
  build({{"response_rate_limit",
          Object{{"fixed_limit", Object{{"limit_kbps", 1}}}, {"percentage", percent(100)}}}});
  FakeStream stream;
  EXPECT_EQ(request(stream), Flow::kContinue);
  EXPECT_EQ(count("response_rl_injected"), 1u);
  HttpFilter& filter = *filters[0];
  EXPECT_EQ(filter.on_response_head(stream.response, EndStream::kNo), Flow::kContinue);
  Buffer held(std::string(100, 'x'));
  EXPECT_EQ(filter.on_response_body(held, EndStream::kYes), Flow::kWatermark);
  stream.held = &held;
  EXPECT_EQ(stream.passed.size(), 0u);
  stream.fire();
  EXPECT_EQ(stream.passed.size(), 64u);  // a sixteenth of a second
  EXPECT_EQ(stream.continued, 0);
  stream.fire();
  EXPECT_EQ(stream.passed.size(), 100u);
  EXPECT_EQ(stream.continued, 1);
  EXPECT_EQ(stream.delays, (std::vector<milliseconds>{milliseconds(0), milliseconds(62)}));
}

TEST_F(FaultTest, SlicesOfAStreamThatGoesOn) {
  build(
      {{"response_rate_limit", Object{{"header_limit", Object{}}, {"percentage", percent(100)}}}});
  FakeStream fast, stream;
  EXPECT_EQ(request(fast, {{"x-envoy-fault-throughput-response", "0"}}), Flow::kContinue);
  EXPECT_EQ(count("response_rl_injected"), 0u);
  EXPECT_EQ(request(stream, {{"x-envoy-fault-throughput-response", "1"}}), Flow::kContinue);
  HttpFilter& filter = *filters[1];
  filter.on_response_head(stream.response, EndStream::kNo);
  Buffer held("abc");
  filter.on_response_body(held, EndStream::kNo);
  stream.held = &held;
  stream.fire();
  EXPECT_EQ(stream.passed.to_string(), "abc");
  stream.held = nullptr;
  Buffer more("def");
  filter.on_response_body(more, EndStream::kNo);  // within the slice's time: it waits
  EXPECT_EQ(stream.delays.size(), 2u);
  stream.held = &more;
  HeaderMap trailers;
  EXPECT_EQ(filter.on_response_trailers(trailers), Flow::kPauseAll);
  stream.fire();
  EXPECT_EQ(stream.passed.to_string(), "abcdef");
  EXPECT_EQ(stream.continued, 1);
}

TEST_F(FaultTest, RoutesHaveTheirOwn) {
  build({{"abort", abort_with(503)}});
  std::shared_ptr<const void> own;
  {
    FakeView view({{"abort", abort_with(404)}}, errors);
    own = factory->make_route_config(view);
  }
  FakeStream stream;
  stream.route = own.get();
  EXPECT_EQ(request(stream), Flow::kReplied);
  EXPECT_EQ(stream.replies.at(0).status, 404);
}

TEST_F(FaultTest, Mistakes) {
  for (const Object& bad :
       {Object{{"delay", Object{}}}, Object{{"delay", delay("0")}}, Object{{"abort", Object{}}},
        Object{{"abort", abort_with(199)}}, Object{{"abort", abort_with(600)}},
        Object{{"response_rate_limit", Object{{"fixed_limit", Object{}}}}},
        Object{{"filter_metadata", Object{}}}}) {
    make(&make_fault, bad);
    EXPECT_EQ(errors.size(), 1u);
  }
  make(&make_fault, {{"abort", Object{{"http_status", 500}, {"grpc_status", 1}}}});
  EXPECT_FALSE(errors.empty());
}

}  // namespace
}  // namespace weir::filters::test
