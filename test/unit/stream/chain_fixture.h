// Scripted filters, a scripted end of the chain and a host that records: what the chain tests are written with.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>
#include <gtest/gtest.h>

#include "stream/chain.h"

namespace weir::stream::test {

using Log = std::vector<std::string>;

/// Checks the order of the parts of one message: head, body*, trailers?, with exactly one end.
class OrderCheck {
 public:
  void head(EndStream end) {
    EXPECT_EQ(state_, 0) << "head out of order";
    state_ = end == EndStream::kYes ? 2 : 1;
  }
  void body(EndStream end) {
    EXPECT_EQ(state_, 1) << "body out of order";
    if (end == EndStream::kYes) state_ = 2;
  }
  void trailers() {
    EXPECT_EQ(state_, 1) << "trailers out of order";
    state_ = 2;
  }
  bool started() const { return state_ > 0; }
  bool ended() const { return state_ == 2; }

 private:
  int state_ = 0;
};

/// A filter whose answers are functions; without one it continues. Everything it sees is checked for order.
class ScriptFilter final : public HttpFilter {
 public:
  struct Script {
    std::function<Flow(ScriptFilter&, EndStream)> request_head, response_head;
    std::function<Flow(ScriptFilter&, Buffer&, EndStream)> request_body, response_body;
    std::function<Flow(ScriptFilter&)> request_trailers, response_trailers;
  };
  ScriptFilter(std::string name, Script script, Log& log)
      : name_(std::move(name)), script_(std::move(script)), log_(log) {}

  FilterCallbacks& callbacks() { return *callbacks_; }
  const Script& script() const { return script_; }
  int ends = 0;
  OrderCheck request, response;

  Flow on_request_head(RequestHead&, EndStream end) override {
    EXPECT_EQ(ends, 0);
    request.head(end);
    say("request head", end);
    return script_.request_head ? script_.request_head(*this, end) : Flow::kContinue;
  }
  Flow on_request_body(Buffer& data, EndStream end) override {
    EXPECT_EQ(ends, 0);
    request.body(end);
    say("request body " + data.to_string(), end);
    return script_.request_body ? script_.request_body(*this, data, end) : Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap&) override {
    EXPECT_EQ(ends, 0);
    request.trailers();
    say("request trailers", EndStream::kNo);
    return script_.request_trailers ? script_.request_trailers(*this) : Flow::kContinue;
  }
  Flow on_response_head(ResponseHead&, EndStream end) override {
    EXPECT_EQ(ends, 0);
    response.head(end);
    say("response head", end);
    return script_.response_head ? script_.response_head(*this, end) : Flow::kContinue;
  }
  Flow on_response_body(Buffer& data, EndStream end) override {
    EXPECT_EQ(ends, 0);
    response.body(end);
    say("response body " + data.to_string(), end);
    return script_.response_body ? script_.response_body(*this, data, end) : Flow::kContinue;
  }
  Flow on_response_trailers(HeaderMap&) override {
    EXPECT_EQ(ends, 0);
    response.trailers();
    say("response trailers", EndStream::kNo);
    return script_.response_trailers ? script_.response_trailers(*this) : Flow::kContinue;
  }
  void on_stream_end(const StreamInfo&) noexcept override {
    ++ends;
    log_.push_back(name_ + " end");
  }

 private:
  void say(const std::string& what, EndStream end) {
    log_.push_back(name_ + " " + what + (end == EndStream::kYes ? " $" : ""));
  }
  std::string name_;
  Script script_;
  Log& log_;
};

/// The end of the chain: records the request; the test sends the response through `callbacks`.
class FakeTerminal final : public TerminalFilter {
 public:
  explicit FakeTerminal(Log& log) : log_(log) {}
  TerminalCallbacks* chain = nullptr;
  OrderCheck request;
  std::string body;
  int ends = 0;
  int blocked = 0;
  int local_replies = 0;
  std::function<void(FakeTerminal&)> on_head;

  FilterCallbacks& callbacks() { return *callbacks_; }
  void attach_terminal(TerminalCallbacks& callbacks) override { chain = &callbacks; }
  void on_response_blocked() override { ++blocked; }
  void on_response_resumed() override { --blocked; }
  void on_local_reply() override { ++local_replies; }
  Flow on_request_head(RequestHead&, EndStream end) override {
    request.head(end);
    log_.push_back(std::string("terminal head") + (end == EndStream::kYes ? " $" : ""));
    if (on_head) on_head(*this);
    return Flow::kContinue;
  }
  Flow on_request_body(Buffer& data, EndStream end) override {
    request.body(end);
    body += data.to_string();
    return Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap&) override {
    request.trailers();
    log_.push_back("terminal trailers");
    return Flow::kContinue;
  }
  void on_stream_end(const StreamInfo&) noexcept override {
    ++ends;
    log_.push_back("terminal end");
  }

 private:
  Log& log_;
};

/// A chain with its host; add filters, start(), then play both messages.
class ChainFixture : public ::testing::Test, public ChainHost {
 public:
  ChainFixture() {
    exchange.request.set_method("POST");
    exchange.request.set_path("/");
    environment.loop = &loop;
    environment.buffer_limit = 100;
  }
  ~ChainFixture() override {
    chain.end();
    chain.clear();
  }

  /// Filters in order of the request; the terminal filter comes by itself.
  ScriptFilter& add(std::string name, ScriptFilter::Script script = {}) {
    if (!chain.active()) chain.begin(*this, exchange, environment, 8);
    auto filter = std::make_unique<ScriptFilter>(std::move(name), std::move(script), log);
    filters.push_back(filter.get());
    chain.add(std::move(filter), "filter");
    return *filters.back();
  }
  FakeTerminal& finish_chain() {
    if (!chain.active()) chain.begin(*this, exchange, environment, 8);
    auto made = std::make_unique<FakeTerminal>(log);
    terminal = made.get();
    chain.add_terminal(std::move(made), "router");
    return *terminal;
  }
  void turn() { loop.run_once(std::chrono::milliseconds(0)); }

  void request_body(std::string_view text, bool end) {
    Buffer data(text);
    chain.request_body(data, end ? EndStream::kYes : EndStream::kNo);
    EXPECT_TRUE(data.empty());
  }
  void response_head(int status, bool end) {
    exchange.response.status = status;
    chain.send_response_head(end ? EndStream::kYes : EndStream::kNo);
  }
  void response_body(std::string_view text, bool end) {
    Buffer data(text);
    chain.send_response_body(data, end ? EndStream::kYes : EndStream::kNo);
    EXPECT_TRUE(data.empty());
  }

  // ChainHost
  const RouteRef* match_route() override {
    ++matches;
    return route;
  }
  void send_informational(const ResponseHead& head) override {
    log.push_back("host " + std::to_string(head.status));
  }
  void send_response_head(EndStream end) override {
    sent.head(end);
    log.push_back("host head " + std::to_string(exchange.response.status) +
                  (end == EndStream::kYes ? " $" : ""));
  }
  void send_response_body(Buffer& data, EndStream end) override {
    sent.body(end);
    sent_body += data.to_string();
  }
  void send_response_trailers() override {
    sent.trailers();
    log.push_back("host trailers");
  }
  void prepare_reply(LocalReply& reply, Buffer& body) override {
    exchange.response.status = reply.status;
    body.append(reply.body);
    if (!reply.body.empty())
      exchange.response.headers.set(HeaderId::kContentLength, std::to_string(reply.body.size()));
  }
  void abort_response(std::string_view details) override { aborted = details; }
  void hold_request() override { ++held; }
  void release_request() override { --held; }
  void on_chain_done() override {
    ++done;
    chain.end();
  }

  event::Loop loop;
  ChainEnvironment environment;
  Exchange exchange;
  Log log;
  std::vector<ScriptFilter*> filters;
  FakeTerminal* terminal = nullptr;
  OrderCheck sent;
  std::string sent_body;
  std::string aborted;
  const RouteRef* route = nullptr;
  int matches = 0;
  int held = 0;
  int done = 0;
  FilterChain chain;
};

}  // namespace weir::stream::test
