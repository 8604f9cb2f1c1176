#include "router/callout_client.h"

#include <gtest/gtest.h>

#include "stats/store.h"
#include "unit/upstream/origin.h"

namespace weir::test {
namespace {

struct Answer final : CalloutHandler {
  void on_callout_done(Result<CalloutResponse> response) noexcept override {
    ++calls;
    callout.reset();  // as a filter does that ends with its callout
    if (response) {
      outcome = std::to_string(response->head.status) + " " + response->body.to_string();
      trailers = response->trailers.size();
    } else {
      error = response.error().code;
      outcome = "error";
    }
  }
  std::unique_ptr<Callout> callout;
  std::string outcome;
  Code error = Code::kInternal;
  size_t trailers = 0;
  int calls = 0;
};

class CalloutClientTest : public testing::Test {
 protected:
  CalloutClientTest() { cluster({}); }
  void cluster(const std::function<void(upstream::ClusterOptions&)>& change) {
    auto options = std::make_shared<upstream::ClusterOptions>();
    options->name = "c";
    options->localities.push_back({});
    options->localities[0].endpoints.push_back({origin.address(), "", 1});
    if (change) change(*options);
    clusters.apply(upstream::ClusterTable::build({options}, registry));
  }
  Result<void> start(std::chrono::milliseconds timeout = {}, std::string_view body = {},
                     size_t max = 1024) {
    CalloutRequest request;
    request.cluster = "c";
    request.head.set_method(body.empty() ? "GET" : "POST");
    request.head.set_path("/check");
    request.head.set_authority("auth");
    request.body.append(body);
    request.timeout = timeout;
    request.max_response_bytes = max;
    auto callout = client.start(std::move(request), answer);
    if (!callout) return tl::unexpected(callout.error());
    answer.callout = std::move(*callout);
    return {};
  }
  void finish() {
    run_until(loop, "the callout", [&] { return answer.calls > 0; });
    EXPECT_EQ(answer.calls, 1);
    EXPECT_EQ(client.in_flight(), 0U);
  }
  event::Loop loop;
  stats::Store store{2};
  upstream::ClusterRegistry registry{store};
  upstream::WorkerClusters clusters{loop, 0, registry};
  Origin origin{loop};
  Answer answer;
  router::CalloutClient client{clusters};
};

TEST_F(CalloutClientTest, EndsWithTheClustersLimit) {
  cluster([](upstream::ClusterOptions& options) {
    options.http.max_stream_duration = std::chrono::milliseconds(20);
  });
  ASSERT_TRUE(start(std::chrono::hours(1)));
  finish();
  EXPECT_EQ(answer.outcome, "504 upstream max stream duration reached");
  EXPECT_EQ(store.counter_value("cluster.c.upstream_rq_max_duration_reached"), 1U);
  EXPECT_EQ(store.counter_value("cluster.c.upstream_rq_timeout"), 0U);
}

TEST_F(CalloutClientTest, DeliversTheWholeAnswer) {
  cluster([](auto& options) { options.http.enable_trailers = true; });
  ASSERT_TRUE(start({}, "question"));
  EXPECT_EQ(answer.calls, 0);
  OriginPeer peer = origin.accept();
  const std::string head = peer.read_until("question");
  EXPECT_TRUE(head.starts_with("POST /check HTTP/1.1\r\n")) << head;
  peer.send(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nye\r\n1\r\ns\r\n0\r\na: "
      "b\r\n\r\n");
  finish();
  EXPECT_EQ(answer.outcome, "200 yes");
  EXPECT_EQ(answer.trailers, 1U);
}

TEST_F(CalloutClientTest, AnUnknownClusterIsToldAtOnce) {
  EXPECT_TRUE(client.knows_cluster("c"));
  EXPECT_FALSE(client.knows_cluster("d"));
  CalloutRequest request;
  request.cluster = "d";
  const auto callout = client.start(std::move(request), answer);
  ASSERT_FALSE(callout);
  EXPECT_EQ(callout.error().code, Code::kNoCluster);
}

TEST_F(CalloutClientTest, NoHostAndOverflowAreToldAtOnce) {
  cluster([](auto& options) { options.localities.clear(); });
  EXPECT_EQ(start().error().code, Code::kNoHealthyHost);
  cluster([](auto& options) { options.thresholds.max_pending_requests = 0; });
  EXPECT_EQ(start().error().code, Code::kOverflow);
  run_some_turns(loop);
  EXPECT_EQ(answer.calls, 0);
}

TEST_F(CalloutClientTest, ATimeoutIsA504) {
  ASSERT_TRUE(start(std::chrono::milliseconds(20)));
  OriginPeer peer = origin.accept();
  peer.read_head();
  finish();
  EXPECT_EQ(answer.outcome, "504 upstream request timeout");
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(CalloutClientTest, AFailedConnectIsA503) {
  origin.stop();
  ASSERT_TRUE(start());
  finish();
  EXPECT_TRUE(answer.outcome.starts_with("503 ")) << answer.outcome;
}

TEST_F(CalloutClientTest, ALostConnectionIsAnError) {
  ASSERT_TRUE(start());
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.reset();
  finish();
  EXPECT_EQ(answer.outcome, "error");
  EXPECT_EQ(answer.error, Code::kClosed);
}

TEST_F(CalloutClientTest, AnOversizedAnswerIsAnError) {
  ASSERT_TRUE(start({}, {}, 10));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n01234567890");
  finish();
  EXPECT_EQ(answer.error, Code::kPayloadTooLarge);
}

TEST_F(CalloutClientTest, DestroyingTheHandleCancels) {
  ASSERT_TRUE(start());
  OriginPeer peer = origin.accept();
  peer.read_head();
  answer.callout.reset();
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(answer.calls, 0);
  EXPECT_EQ(client.in_flight(), 0U);
}

TEST_F(CalloutClientTest, AHandleMayOutliveTheClient) {
  auto other = std::make_unique<router::CalloutClient>(clusters);
  CalloutRequest request;
  request.cluster = "c";
  request.head.set_method("GET");
  request.head.set_path("/");
  request.head.set_authority("a");
  auto callout = other->start(std::move(request), answer);
  ASSERT_TRUE(callout);
  other.reset();
  run_some_turns(loop);
  EXPECT_EQ(answer.calls, 0);
}

}  // namespace
}  // namespace weir::test
