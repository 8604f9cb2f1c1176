// The filter chain driver: an exchange through N filters that do nothing, answered at the end of the chain.
#include <benchmark/benchmark.h>

#include <memory>
#include <utility>

#include "event/loop.h"
#include "stream/chain.h"

namespace weir::stream {
namespace {

class NoFilter final : public HttpFilter {};

/// Answers with a 46-byte body when the request is complete, as a router does with an upstream that is always there.
class Answer final : public TerminalFilter {
 public:
  void attach_terminal(TerminalCallbacks& callbacks) override { terminal_ = &callbacks; }
  void on_response_blocked() override {}
  void on_response_resumed() override {}
  void on_local_reply() override {}
  Flow on_request_head(RequestHead&, EndStream) override {
    ResponseHead& head = terminal_->response_head_storage();
    head.status = 200;
    head.headers.add(HeaderId::kContentLength, "46");
    terminal_->send_response_head(EndStream::kNo);
    Buffer body("The quick brown fox jumps over the lazy dogs.\n");
    terminal_->send_response_body(body, EndStream::kYes);
    return Flow::kContinue;
  }

 private:
  TerminalCallbacks* terminal_ = nullptr;
};

class Host final : public ChainHost {
 public:
  const RouteRef* match_route() override { return nullptr; }
  void send_informational(const ResponseHead&) override {}
  void send_response_head(EndStream) override {}
  void send_response_body(Buffer& data, EndStream) override {
    sent_ += data.size();
    data.clear();
  }
  void send_response_trailers() override {}
  void prepare_reply(LocalReply&, Buffer&) override {}
  void abort_response(std::string_view) override {}
  void hold_request() override {}
  void release_request() override {}
  void on_chain_done() override { done_ = true; }

  bool take_done() { return std::exchange(done_, false); }

 private:
  size_t sent_ = 0;
  bool done_ = false;
};

void BM_Chain(benchmark::State& state) {
  event::Loop loop;
  ChainEnvironment environment;
  environment.loop = &loop;
  Host host;
  Exchange exchange;
  FilterChain chain;
  const auto filters = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    exchange.request.clear();
    exchange.response.clear();
    exchange.request.set_stored_method("GET");
    exchange.request.set_stored_path("/");
    chain.begin(host, exchange, environment, filters + 1);
    for (size_t i = 0; i < filters; ++i) chain.add(std::make_unique<NoFilter>(), "none");
    chain.add_terminal(std::make_unique<Answer>(), "answer");
    chain.request_head(EndStream::kYes);
    if (!host.take_done()) state.SkipWithError("the chain is not done");
    chain.end();
    chain.clear();
  }
}
BENCHMARK(BM_Chain)->Arg(0)->Arg(1)->Arg(8);

}  // namespace
}  // namespace weir::stream
