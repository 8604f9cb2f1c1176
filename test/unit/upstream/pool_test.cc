#include "unit/upstream/fixture.h"

namespace weir::test {
namespace {

using upstream::FailureKind;

class PoolTest : public UpstreamFixture {
 protected:
  Origin origin{loop};
};

TEST_F(PoolTest, ReusesTheConnectionOfACompleteExchange) {
  auto& target = cluster({origin.address()});
  OriginPeer peer = get(target, origin);
  Request second;
  ASSERT_FALSE(second.start(target));
  answer(peer, second);
  EXPECT_EQ(counter("upstream_cx_total"), 1U);
  EXPECT_EQ(counter("upstream_rq_total"), 2U);
  EXPECT_EQ(counter("upstream_rq_completed"), 0U);  // the router charges answers
  EXPECT_EQ(gauge("upstream_cx_active"), 1);
  EXPECT_EQ(gauge("upstream_rq_active"), 0);
}

TEST_F(PoolTest, UsesTheLastUsedConnectionFirst) {
  auto& target = cluster({origin.address()});
  Request a, b;
  ASSERT_FALSE(a.start(target));
  OriginPeer first = origin.accept();
  first.read_head();
  ASSERT_FALSE(b.start(target));
  OriginPeer second = origin.accept();
  second.read_head();
  second.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish(b);
  first.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish(a);
  Request c;
  ASSERT_FALSE(c.start(target));
  EXPECT_EQ(c.sink.connection_id, a.sink.connection_id);
  c.exchange.cancel();
}

struct NotReusable {
  const char* name;
  const char* response;
};
class PoolRefuses : public PoolTest, public testing::WithParamInterface<NotReusable> {};

TEST_P(PoolRefuses, AConnectionThatHasNotEarnedIt) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send(GetParam().response);
  finish(request);
  EXPECT_EQ(request.sink.log, "200 end");
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(gauge("upstream_cx_active"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Responses, PoolRefuses,
    testing::Values(
        NotReusable{"Close", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"},
        NotReusable{"Http10", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi"},
        NotReusable{"Surplus",
                    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n"}),
    [](const auto& info) { return info.param.name; });

TEST_F(PoolTest, AnEarlyResponseEndsTheConnection) {
  auto& target = cluster({origin.address()});
  Request request("POST");
  request.head.headers.add(HeaderId::kContentLength, "1000");
  ASSERT_FALSE(request.start(target, EndStream::kNo));
  request.body("part", EndStream::kNo);
  OriginPeer peer = origin.accept();
  peer.read_until("part");
  peer.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
  finish(request);
  EXPECT_EQ(request.sink.log, "403 end");
  EXPECT_TRUE(peer.wait_closed());
  request.body("late", EndStream::kNo);  // forgotten
  run_some_turns(loop);
  EXPECT_EQ(gauge("upstream_cx_active"), 0);
}

TEST_F(PoolTest, ACancelledExchangeClosesItsConnection) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  run_until(loop, "the first half", [&] { return request.sink.body == "half"; });
  request.exchange.cancel();
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(counter("upstream_rq_tx_reset"), 1U);
  EXPECT_EQ(gauge("upstream_rq_active"), 0);
}

TEST_F(PoolTest, UnaskedBytesRemoveAnIdleConnection) {
  auto& target = cluster({origin.address()});
  OriginPeer peer = get(target, origin);
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");
  EXPECT_TRUE(peer.wait_closed());
  OriginPeer fresh = get(target, origin);
  EXPECT_EQ(counter("upstream_cx_total"), 2U);
}

// The same bytes, but the next request has the connection already when the loop reads them: it is sent again on another.
TEST_F(PoolTest, UnaskedBytesAreNeverTheNextAnswer) {
  auto& target = cluster({origin.address()});
  OriginPeer peer = get(target, origin);
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");
  Request request("POST");
  ASSERT_FALSE(request.start(target));
  EXPECT_EQ(request.sink.attempts, 1);
  OriginPeer fresh = origin.accept();
  answer(fresh, request);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(peer.received(), "");
  EXPECT_EQ(request.sink.attempts, 2);
}

TEST_F(PoolTest, AnIdleConnectionThatTheOriginClosesIsRemoved) {
  auto& target = cluster({origin.address()});
  get(target, origin).close();
  run_until(loop, "the pool to notice", [&] { return gauge("upstream_cx_active") == 0; });
  EXPECT_EQ(counter("upstream_cx_destroy_remote"), 1U);
}

TEST_F(PoolTest, IdleTimeoutClosesIdleConnectionsOnly) {
  auto& target = cluster({origin.address()}, [](auto& options) {
    options.http.idle_timeout = std::chrono::milliseconds(20);
  });
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  answer(peer, request);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(counter("upstream_cx_idle_timeout"), 1U);
}

TEST_F(PoolTest, MaxRequestsPerConnection) {
  auto& target = cluster({origin.address()},
                         [](auto& options) { options.http.max_requests_per_connection = 2; });
  OriginPeer peer = get(target, origin);
  Request second;
  ASSERT_FALSE(second.start(target));
  answer(peer, second);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(counter("upstream_cx_max_requests"), 1U);
}

TEST_F(PoolTest, MaxConnectionDuration) {
  auto& target = cluster({origin.address()}, [](auto& options) {
    options.http.max_connection_duration = std::chrono::milliseconds(15);
  });
  OriginPeer peer = get(target, origin);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(counter("upstream_cx_max_duration_reached"), 1U);
}

TEST_F(PoolTest, QueuesInOrderWhenConnectionsAreUsedUp) {
  auto& target =
      cluster({origin.address()}, [](auto& options) { options.thresholds.max_connections = 1; });
  Request a("GET", "/a"), b("GET", "/b"), c("GET", "/c");
  ASSERT_FALSE(a.start(target));
  ASSERT_FALSE(b.start(target));
  ASSERT_FALSE(c.start(target));
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 3);
  EXPECT_EQ(gauge("circuit_breakers.default.cx_open"), 1);
  OriginPeer peer = origin.accept();
  for (Request* request : {&a, &b, &c}) {
    EXPECT_TRUE(peer.read_head().starts_with("GET " + std::string(request->head.path())));
    peer.send("HTTP/1.1 204 No Content\r\n\r\n");
    finish(*request);
  }
  EXPECT_EQ(counter("upstream_cx_total"), 1U);
  EXPECT_EQ(counter("upstream_cx_overflow"), 2U);
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0);
}

TEST_F(PoolTest, APendingRequestBeyondTheThresholdOverflows) {
  auto& target = cluster({origin.address()}, [](auto& options) {
    options.thresholds.max_connections = 1;
    options.thresholds.max_pending_requests = 1;
  });
  Request a, b;
  ASSERT_FALSE(a.start(target));
  const auto failure = b.start(target);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, FailureKind::kOverflow);
  EXPECT_EQ(counter("upstream_rq_pending_overflow"), 1U);
  EXPECT_EQ(gauge("circuit_breakers.default.rq_pending_open"), 1);
  a.exchange.cancel();
  EXPECT_EQ(gauge("circuit_breakers.default.rq_pending_open"), 0);
  EXPECT_EQ(counter("upstream_rq_cancelled"), 1U);
}

TEST_F(PoolTest, ARequestBeyondMaxRequestsOverflows) {
  auto& target =
      cluster({origin.address()}, [](auto& options) { options.thresholds.max_requests = 1; });
  Request a, b;
  ASSERT_FALSE(a.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  ASSERT_FALSE(b.start(target));  // waits for a second connection
  finish(b);
  EXPECT_EQ(b.sink.log, "failed: overflow");
  peer.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish(a);
  Request c;
  EXPECT_FALSE(c.start(target));
  c.exchange.cancel();
}

TEST_F(PoolTest, BreakersHoldForAllWorkersTogether) {
  auto options = std::make_shared<upstream::ClusterOptions>();
  options->name = "c";
  options->thresholds.max_pending_requests = 1;
  options->localities.push_back({});
  options->localities[0].endpoints.push_back({origin.address(), "", 1});
  const auto table = upstream::ClusterTable::build({options}, registry);
  upstream::WorkerClusters other(loop, 1, registry);
  clusters.apply(table);
  other.apply(table);
  Request a, b;
  ASSERT_FALSE(a.start(*clusters.find("c")));
  const auto failure = b.start(*other.find("c"));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, FailureKind::kOverflow);
  a.exchange.cancel();
  EXPECT_FALSE(b.start(*other.find("c")));
  b.exchange.cancel();
}

TEST_F(PoolTest, ConnectRefusedFailsAllWaiters) {
  auto& target = cluster({origin.address()});
  origin.stop();
  Request a, b;
  ASSERT_FALSE(a.start(target));
  ASSERT_FALSE(b.start(target));
  finish(a);
  finish(b);
  EXPECT_EQ(a.sink.log, "failed: remote connection failure");
  EXPECT_FALSE(a.sink.reason.empty());
  EXPECT_GE(counter("upstream_cx_connect_fail"), 1U);
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0);
}

TEST_F(PoolTest, AClusterWithoutHostsFailsAtOnce) {
  auto& target = cluster({});
  Request request;
  const auto failure = request.start(target);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, FailureKind::kNoHealthyHost);
  EXPECT_EQ(counter("upstream_cx_none_healthy"), 1U);
}

TEST_F(PoolTest, OnlyTheLowestPriorityNumberIsUsed) {
  Origin second(loop);
  auto& target = cluster({origin.address()}, [&second](auto& options) {
    upstream::LocalityOptions backup;
    backup.priority = 1;
    backup.endpoints.push_back({second.address(), "", 1});
    options.localities.push_back(std::move(backup));
  });
  OriginPeer peer = get(target, origin);
  for (int i = 0; i < 4; ++i) {
    Request request;
    ASSERT_FALSE(request.start(target));
    answer(peer, request);
  }
  EXPECT_FALSE(second.try_accept());
}

TEST_F(PoolTest, APoolOutlivesAnEditOfItsCluster) {
  auto* target = &cluster({origin.address()});
  OriginPeer peer = get(*target, origin);
  target = &cluster({origin.address()},
                    [](auto& options) { options.connect_timeout = std::chrono::seconds(1); });
  Request request;
  ASSERT_FALSE(request.start(*target));
  answer(peer, request);
  EXPECT_EQ(counter("upstream_cx_total"), 1U);
}

TEST_F(PoolTest, ARemovedHostFinishesItsExchangeAndCloses) {
  Origin second(loop);
  auto& target = cluster({origin.address()});
  OriginPeer idle = get(target, origin);
  Request first, running;
  ASSERT_FALSE(first.start(target));
  ASSERT_FALSE(running.start(target));
  OriginPeer busy = origin.accept();
  idle.read_head();
  busy.read_head();
  idle.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish(first);
  cluster({second.address()});
  EXPECT_TRUE(idle.wait_closed());
  EXPECT_FALSE(busy.closed());
  busy.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
  finish(running);
  EXPECT_EQ(running.sink.body, "hi");
  EXPECT_TRUE(busy.wait_closed());
  get(target, second);
  EXPECT_EQ(clusters.active_connections(), 1U);
}

TEST_F(PoolTest, ARemovedClusterIsFoundByStreamsOfItsGeneration) {
  auto options = std::make_shared<upstream::ClusterOptions>();
  options->name = "c";
  options->localities.push_back({});
  options->localities[0].endpoints.push_back({origin.address(), "", 1});
  clusters.set_old_generation_max_age(std::chrono::milliseconds(0));
  clusters.apply(upstream::ClusterTable::build({options}, registry));
  Request running;
  ASSERT_FALSE(running.start(*clusters.find("c")));
  OriginPeer peer = origin.accept();
  clusters.apply(upstream::ClusterTable::build({}, registry));
  EXPECT_EQ(clusters.find("c"), nullptr);
  ASSERT_NE(clusters.find_retired("c"), nullptr);
  answer(peer, running);
  EXPECT_TRUE(peer.wait_closed());
  run_some_turns(loop);
  clusters.apply(upstream::ClusterTable::build({}, registry));
  EXPECT_EQ(clusters.find_retired("c"), nullptr);
}

TEST_F(PoolTest, DrainClosesIdleConnectionsNowAndBusyOnesLater) {
  auto& target = cluster({origin.address()});
  OriginPeer idle = get(target, origin);
  Request a;
  ASSERT_FALSE(a.start(target));
  clusters.drain();
  run_some_turns(loop);
  EXPECT_FALSE(idle.closed());  // it carries the exchange
  answer(idle, a);
  EXPECT_TRUE(idle.wait_closed());
  EXPECT_EQ(clusters.active_connections(), 0U);
}

TEST_F(PoolTest, DescribesItsHosts) {
  auto& target = cluster({origin.address()});
  OriginPeer peer = get(target, origin);
  const auto described = clusters.describe();
  ASSERT_EQ(described.size(), 1U);
  ASSERT_EQ(described[0].hosts.size(), 1U);
  EXPECT_EQ(described[0].hosts[0].address, origin.address().to_string());
  EXPECT_EQ(described[0].hosts[0].cx_active, 1U);
  EXPECT_EQ(described[0].hosts[0].rq_total, 1U);
  EXPECT_EQ(described[0].hosts[0].rq_success, 1U);
}

TEST_F(PoolTest, PublishedTablesSetMembership) {
  auto options = std::make_shared<upstream::ClusterOptions>();
  options->name = "a:b";
  options->localities.resize(2);
  options->localities[0].endpoints.push_back({origin.address(), "", 1});
  options->localities[1].endpoints.push_back({origin.address(), "", 1});
  registry.published(*upstream::ClusterTable::build({options}, registry));
  EXPECT_EQ(store.gauge_value("cluster.a_b.membership_total"), 2);
  EXPECT_EQ(store.gauge_value("cluster.a_b.membership_healthy"), 2);
}

}  // namespace
}  // namespace weir::test
