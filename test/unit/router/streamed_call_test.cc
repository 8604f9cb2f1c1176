// Streamed callouts over HTTP/1.1; those of HTTP/2 are tested with guests (integration/filters/wasm_grpc_test.cc).
#include <gtest/gtest.h>

#include "router/callout_client.h"
#include "stats/store.h"
#include "unit/upstream/origin.h"

namespace weir::test {
namespace {

struct Listener final : StreamedCalloutHandler {
  void on_callout_head(ResponseHead& head, EndStream end) noexcept override {
    said += "head:" + std::to_string(head.status);
    ended(end);
  }
  void on_callout_data(Buffer& data, EndStream end) noexcept override {
    said += "data:" + data.to_string();
    ended(end);
    if (cancel_on_data) callout.reset();
  }
  void on_callout_trailers(HeaderMap& trailers) noexcept override {
    said += "trailers:" + std::to_string(trailers.size());
    ended(EndStream::kYes);
  }
  void on_callout_failed(const Error& error) noexcept override {
    said += "failed:" + error.detail;
    code = error.code;
    ended(EndStream::kYes);
  }
  void ended(EndStream end) {
    said += end == EndStream::kYes ? "." : " ";
    if (end == EndStream::kYes) {
      over = true;
      callout.reset();
    }
  }
  std::unique_ptr<StreamedCallout> callout;
  std::string said;
  Code code = Code::kInternal;
  bool over = false;
  bool cancel_on_data = false;
};

class StreamedCallTest : public testing::Test {
 protected:
  StreamedCallTest() { cluster({}); }
  void cluster(const std::function<void(upstream::ClusterOptions&)>& change) {
    auto options = std::make_shared<upstream::ClusterOptions>();
    options->name = "c";
    options->http.enable_trailers = true;
    options->localities.push_back({});
    options->localities[0].endpoints.push_back({origin.address(), "", 1});
    if (change) change(*options);
    clusters.apply(upstream::ClusterTable::build({options}, registry));
  }
  Result<void> start(std::chrono::milliseconds timeout = {}, bool http2 = false) {
    StreamedCalloutRequest request;
    request.cluster = "c";
    request.head.set_method("POST");
    request.head.set_path("/talk");
    request.head.set_authority("a");
    request.timeout = timeout;
    request.http2 = http2;
    auto callout = client.start_stream(std::move(request), listener);
    if (!callout) return tl::unexpected(callout.error());
    listener.callout = std::move(*callout);
    return {};
  }
  void send(std::string_view text, EndStream end = EndStream::kNo) {
    Buffer data(text);
    listener.callout->send(data, end);
    EXPECT_TRUE(data.empty());
  }
  void finish() {
    run_until(loop, "the end", [&] { return listener.over; });
    EXPECT_EQ(client.in_flight(), 0U);
  }
  event::Loop loop;
  stats::Store store{2};
  upstream::ClusterRegistry registry{store};
  upstream::WorkerClusters clusters{loop, 0, registry};
  Origin origin{loop};
  Listener listener;
  router::CalloutClient client{clusters};
};

TEST_F(StreamedCallTest, GoesPieceByPiece) {
  ASSERT_TRUE(start());
  send("one");
  OriginPeer peer = origin.accept();
  peer.read_until("one");
  peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n");
  run_until(loop, "the first piece", [&] { return listener.said == "head:200 data:a "; });
  send("two", EndStream::kYes);
  send("never");
  peer.read_until("0\r\n\r\n");
  peer.send("1\r\nb\r\n0\r\nt: 1\r\n\r\n");
  finish();
  EXPECT_EQ(listener.said, "head:200 data:a data:b trailers:1.");
}

TEST_F(StreamedCallTest, FailuresAreToldOnceAndNeverInsideStart) {
  origin.stop();
  ASSERT_TRUE(start());
  EXPECT_EQ(listener.said, "");
  finish();
  EXPECT_EQ(listener.code, Code::kConnectFailed);
}

TEST_F(StreamedCallTest, RefusalsAreToldAtOnce) {
  EXPECT_EQ(start({}, true).error().code, Code::kBadVersion);
  cluster([](auto& options) { options.localities.clear(); });
  EXPECT_EQ(start().error().code, Code::kNoHealthyHost);
  cluster([](auto& options) { options.thresholds.max_pending_requests = 0; });
  EXPECT_EQ(start().error().code, Code::kOverflow);
  EXPECT_EQ(client.in_flight(), 0U);
  EXPECT_EQ(listener.said, "");
}

TEST_F(StreamedCallTest, ConnectionThatTurnsOutToBeHttp1IsTheWrongVersion) {
  cluster([](auto& options) { options.http.protocol = upstream::UpstreamProtocol::kAuto; });
  ASSERT_TRUE(start({}, true));
  send("one");
  OriginPeer peer = origin.accept();
  finish();
  EXPECT_EQ(listener.code, Code::kBadVersion);
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(StreamedCallTest, TimeoutsEndIt) {
  ASSERT_TRUE(start(std::chrono::milliseconds(20)));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  finish();
  EXPECT_EQ(listener.code, Code::kTimeout);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(store.counter_value("cluster.c.upstream_rq_timeout"), 1U);
}

TEST_F(StreamedCallTest, TheClustersLimitEndsIt) {
  cluster([](auto& options) { options.http.max_stream_duration = std::chrono::milliseconds(20); });
  ASSERT_TRUE(start(std::chrono::hours(1)));
  finish();
  EXPECT_EQ(listener.said, "failed:upstream max stream duration reached.");
  EXPECT_EQ(store.counter_value("cluster.c.upstream_rq_max_duration_reached"), 1U);
}

TEST_F(StreamedCallTest, LostConnectionsAndResetsFail) {
  ASSERT_TRUE(start());
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na");
  run_until(loop, "the first byte", [&] { return listener.said == "head:200 data:a "; });
  peer.reset();
  finish();
  EXPECT_EQ(listener.code, Code::kClosed);
}

TEST_F(StreamedCallTest, MayBeDestroyedInsideACallback) {
  listener.cancel_on_data = true;
  ASSERT_TRUE(start());
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na");
  run_until(loop, "the first byte", [&] { return listener.callout == nullptr; });
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(listener.said, "head:200 data:a ");
  EXPECT_EQ(client.in_flight(), 0U);
}

TEST_F(StreamedCallTest, WhatTheUpstreamDoesNotReadWaits) {
  cluster([](auto& options) { options.buffer_limit = 64 * 1024; });
  ASSERT_TRUE(start());
  OriginPeer peer = origin.accept();
  peer.read_head();
  const std::string piece(1024 * 1024, 'x');
  for (int i = 0; i < 30 && listener.callout->unsent() < 2 * piece.size(); ++i) {
    send(piece);
    run_some_turns(loop);
  }
  EXPECT_GE(listener.callout->unsent(), 2 * piece.size());
  listener.callout.reset();
  EXPECT_TRUE(peer.wait_closed());
}

}  // namespace
}  // namespace weir::test
