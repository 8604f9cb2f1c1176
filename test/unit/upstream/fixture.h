// What tests of exchanges share: a loop, a store, clusters of origins and a sink that writes down what it is told.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "stats/store.h"
#include "unit/upstream/origin.h"
#include "upstream/cluster.h"
#include "upstream/exchange.h"

namespace weir::test {

/// "200 hello end" of a response, "failed: <reason>" …; the body as it came.
class RecordingSink : public upstream::ExchangeSink {
 public:
  ResponseHead& exchange_head() noexcept override { return head; }
  HeaderMap& exchange_trailers() noexcept override { return trailers; }
  void on_exchange_connected(upstream::UpstreamStream& stream) override {
    ++attempts;
    connection_id = stream.connection_id();
  }
  void on_exchange_informational() override { log += std::to_string(head.status) + "? "; }
  void on_exchange_head(size_t, EndStream end) override {
    log += std::to_string(head.status) + " ";
    if (end == EndStream::kYes) finish();
  }
  void on_exchange_body(Buffer& data, EndStream end) override {
    body += data.to_string();
    data.clear();
    if (end == EndStream::kYes) finish();
  }
  void on_exchange_trailers() override {
    log += "trailers ";
    finish();
  }
  void on_exchange_failed(const upstream::Failure& failure) override {
    log += "failed: " + std::string(upstream::reset_reason(failure.kind));
    reason = failure.transport_reason;
    done = true;
  }
  void on_exchange_blocked() override { log += "blocked "; }
  void on_exchange_resumed() override { log += "resumed "; }

  ResponseHead head;
  HeaderMap trailers;
  std::string log, body, reason;
  int attempts = 0;
  uint64_t connection_id = 0;
  bool done = false;

 private:
  void finish() {
    log += "end";
    done = true;
  }
};

/// One request and what came of it.
struct Request {
  explicit Request(std::string_view method = "GET", std::string_view path = "/") : exchange(sink) {
    head.set_method(method);
    head.set_path(path);
    head.set_authority("origin");
    head.set_scheme("http");
  }
  std::optional<upstream::Failure> start(upstream::Cluster& cluster,
                                         EndStream end = EndStream::kYes) {
    return exchange.start(cluster, head, end, upstream::Priority::kDefault);
  }
  void body(std::string_view text, EndStream end) {
    Buffer data(text);
    exchange.send_body(data, end);
  }
  RequestHead head;
  RecordingSink sink;
  upstream::Exchange exchange;
};

class UpstreamFixture : public testing::Test {
 protected:
  /// (Re)defines the cluster "c".
  upstream::Cluster& cluster(const std::vector<net::Address>& addresses,
                             const std::function<void(upstream::ClusterOptions&)>& change = {}) {
    auto options = std::make_shared<upstream::ClusterOptions>();
    options->name = "c";
    upstream::LocalityOptions locality;
    for (const net::Address& address : addresses) {
      locality.endpoints.emplace_back().address = address;
    }
    options->localities.push_back(std::move(locality));
    if (change) change(*options);
    publish({options});
    return *clusters.find("c");
  }
  void publish(std::vector<std::shared_ptr<const upstream::ClusterOptions>> all) {
    clusters.apply(upstream::ClusterTable::build(std::move(all), registry));
  }
  uint64_t counter(const std::string& name) const {
    return store.counter_value("cluster.c." + name);
  }
  int64_t gauge(const std::string& name) const { return store.gauge_value("cluster.c." + name); }
  bool finish(Request& request) {
    return run_until(loop, "the exchange's end", [&] { return request.sink.done; });
  }
  /// A whole GET over `peer`, or over a new connection.
  OriginPeer get(upstream::Cluster& target, Origin& origin) {
    Request request;
    EXPECT_FALSE(request.start(target));
    OriginPeer peer = origin.accept();
    answer(peer, request);
    return peer;
  }
  void answer(OriginPeer& peer, Request& request) {
    peer.read_head();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    finish(request);
    EXPECT_EQ(request.sink.log, "200 end");
    EXPECT_EQ(request.sink.body, "hi");
  }

  event::Loop loop;
  stats::Store store{2};
  upstream::ClusterRegistry registry{store};
  upstream::WorkerClusters clusters{loop, 0, registry};
};

}  // namespace weir::test
