// What the chain driver promises filters beyond passing messages on.
#include "unit/stream/chain_fixture.h"

namespace weir::stream::test {
namespace {

using ChainTest = ChainFixture;
using Script = ScriptFilter::Script;

Script on_request_head(std::function<Flow(ScriptFilter&, EndStream)> body) {
  Script script;
  script.request_head = std::move(body);
  return script;
}
Script on_response_head(std::function<Flow(ScriptFilter&, EndStream)> body) {
  Script script;
  script.response_head = std::move(body);
  return script;
}
Flow buffer(ScriptFilter&, Buffer&, EndStream end) {
  return end == EndStream::kYes ? Flow::kContinue : Flow::kBuffer;
}

LocalReply answer(int status, std::string body = {}) {
  LocalReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.details = "test";
  return reply;
}

TEST_F(ChainTest, RouterAlonePassesEverything) {
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body("abc", true);
  response_head(200, false);
  response_body("xyz", true);
  EXPECT_EQ(terminal->body, "abc");
  EXPECT_EQ(sent_body, "xyz");
  EXPECT_EQ(log, (Log{"terminal head", "host head 200", "terminal end"}));
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, ResponsePassesFiltersInReverse) {
  add("a");
  add("b");
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, true);
  EXPECT_EQ(log,
            (Log{"a request head $", "b request head $", "terminal head $", "b response head $",
                 "a response head $", "host head 200 $", "a end", "b end", "terminal end"}));
}

TEST_F(ChainTest, PausedHeadStillGetsTheBody) {
  Script script;
  script.request_head = [](ScriptFilter&, EndStream) { return Flow::kPauseHead; };
  script.request_body = buffer;
  add("a", script);
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body("abc", false);
  EXPECT_FALSE(terminal->request.started());
  request_body("def", true);
  EXPECT_EQ(terminal->body, "abcdef");
  // The second call shows the whole held body.
  EXPECT_EQ(log, (Log{"a request head", "a request body abc", "a request body abcdef $",
                      "terminal head"}));
}

TEST_F(ChainTest, PauseAllHoldsBodyBeforeTheFilterAndTheSender) {
  ScriptFilter& a =
      add("a", on_request_head([](ScriptFilter&, EndStream) { return Flow::kPauseAll; }));
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body(std::string(99, 'x'), false);
  EXPECT_EQ(held, 0);
  request_body("y", false);
  EXPECT_EQ(held, 1);
  EXPECT_EQ(log, (Log{"a request head"}));
  EXPECT_EQ(a.callbacks().held_request_body()->size(), 100u);
  a.callbacks().continue_request();
  EXPECT_EQ(held, 1) << "nothing happens inside the filter's own call";
  turn();
  EXPECT_EQ(held, 0);
  EXPECT_EQ(terminal->body.size(), 100u);
  request_body("z", true);
  EXPECT_TRUE(terminal->request.ended());
}

TEST_F(ChainTest, OneFiltersResumeDoesNotReleaseAnothersHold) {
  ScriptFilter& a =
      add("a", on_request_head([](ScriptFilter&, EndStream) { return Flow::kPauseAll; }));
  ScriptFilter& b =
      add("b", on_request_head([](ScriptFilter&, EndStream) { return Flow::kPauseHead; }));
  finish_chain();
  chain.request_head(EndStream::kYes);
  b.callbacks().continue_request();
  turn();
  EXPECT_FALSE(b.request.started());
  a.callbacks().continue_request();
  turn();
  EXPECT_TRUE(b.request.started());
  EXPECT_FALSE(terminal->request.started());
  a.callbacks().continue_request();
  turn();
  EXPECT_FALSE(terminal->request.started());
  b.callbacks().continue_request();
  turn();
  EXPECT_TRUE(terminal->request.ended());
}

TEST_F(ChainTest, DirectionsPauseIndependently) {
  ScriptFilter& a =
      add("a", on_response_head([](ScriptFilter&, EndStream) { return Flow::kPauseHead; }));
  finish_chain();
  chain.request_head(EndStream::kNo);
  response_head(200, true);
  EXPECT_FALSE(sent.started());
  request_body("abc", true);
  EXPECT_EQ(terminal->body, "abc");
  a.callbacks().continue_request();
  turn();
  EXPECT_FALSE(sent.started());
  a.callbacks().continue_response();
  turn();
  EXPECT_TRUE(sent.ended());
}

TEST_F(ChainTest, BufferOverTheLimitAnswers413) {
  Script script;
  script.request_body = buffer;
  add("a", script);
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body(std::string(100, 'x'), false);
  EXPECT_EQ(done, 0);
  request_body("y", false);
  EXPECT_EQ(exchange.response.status, 413);
  EXPECT_EQ(exchange.info.response_code_details(), "request_payload_too_large");
  EXPECT_EQ(sent_body, "Payload Too Large");
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, ResponseBufferOverTheLimitAnswers500WhileTheHeadIsHeld) {
  Script script;
  script.response_head = [](ScriptFilter&, EndStream) { return Flow::kPauseHead; };
  script.response_body = buffer;
  add("a");
  add("b", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body(std::string(101, 'x'), false);
  EXPECT_EQ(exchange.response.status, 500);
  EXPECT_EQ(sent_body, "Internal Server Error");
  // The filter that had seen a head does not see another; the one behind it does.
  EXPECT_EQ(log[4], "b response body " + std::string(101, 'x'));
  EXPECT_EQ(log[5], "a response head");
}

TEST_F(ChainTest, ResponseBufferOverTheLimitCutsAStartedResponse) {
  Script script;
  script.response_body = buffer;
  add("a", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body(std::string(101, 'x'), false);
  EXPECT_EQ(aborted, "response_payload_too_large");
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, WatermarkStopsTheSenderAtTheLimit) {
  Script script;
  script.response_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kWatermark; };
  ScriptFilter& a = add("a", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body(std::string(99, 'x'), false);
  EXPECT_EQ(terminal->blocked, 0);
  response_body(std::string(50, 'x'), false);
  EXPECT_EQ(terminal->blocked, 1);
  EXPECT_TRUE(aborted.empty());
  a.callbacks().continue_response();
  turn();
  EXPECT_EQ(terminal->blocked, 0);
  EXPECT_EQ(sent_body.size(), 149u);
}

TEST_F(ChainTest, FilterMayRaiseTheLimit) {
  Script script;
  script.request_head = [](ScriptFilter& filter, EndStream) {
    filter.callbacks().set_buffer_limit(Direction::kRequest, 1000);
    EXPECT_EQ(filter.callbacks().buffer_limit(Direction::kRequest), 1000u);
    EXPECT_EQ(filter.callbacks().buffer_limit(Direction::kResponse), 100u);
    return Flow::kContinue;
  };
  script.request_body = buffer;
  add("a", script);
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body(std::string(1000, 'x'), true);
  EXPECT_EQ(terminal->body.size(), 1000u);
}

TEST_F(ChainTest, ReplyPassesTheFiltersEnteredSoFar) {
  add("a");
  add("b", on_request_head([](ScriptFilter& filter, EndStream) {
        filter.callbacks().reply(answer(403, "no"));
        filter.callbacks().reply(answer(500));  // the second is ignored
        return Flow::kReplied;
      }));
  add("c");
  finish_chain();
  chain.request_head(EndStream::kNo);
  EXPECT_EQ(log, (Log{"a request head", "b request head", "b response head", "a response head",
                      "host head 403", "b response body no $", "a response body no $", "a end",
                      "b end", "c end", "terminal end"}));
  EXPECT_EQ(sent_body, "no");
  EXPECT_EQ(exchange.info.response_code, 403);
  request_body("late", true);  // nobody is asked any more
  EXPECT_EQ(terminal->body, "");
}

TEST_F(ChainTest, ReplyTakesEffectAfterTheCallbackWhateverItReturns) {
  for (const Flow flow : {Flow::kContinue, Flow::kPauseAll, Flow::kBuffer, Flow::kReplied}) {
    SCOPED_TRACE(static_cast<int>(flow));
    ChainFixture* fixture = this;
    Script script;
    script.request_body = [fixture, flow](ScriptFilter& filter, Buffer&, EndStream) {
      filter.callbacks().reply(answer(429));
      EXPECT_FALSE(fixture->sent.started());
      return flow;
    };
    add("a", script);
    finish_chain();
    chain.request_head(EndStream::kNo);
    request_body("x", false);
    EXPECT_EQ(exchange.response.status, 429);
    EXPECT_EQ(terminal->body, "");
    EXPECT_EQ(terminal->ends, 1);
    chain.clear();
    exchange.response.clear();
    sent = OrderCheck();
  }
}

TEST_F(ChainTest, ReplyFromATimerComesAtTheEndOfTheTurn) {
  std::unique_ptr<StreamTimer> timer;
  add("a", on_request_head([&timer](ScriptFilter& filter, EndStream) {
        timer = filter.callbacks().start_timer(
            std::chrono::milliseconds(0),
            [](void* self) { static_cast<ScriptFilter*>(self)->callbacks().reply(answer(504)); },
            &filter);
        return Flow::kPauseAll;
      }));
  finish_chain();
  chain.request_head(EndStream::kYes);
  for (int i = 0; i < 100 && done == 0; ++i) loop.run_once(std::chrono::milliseconds(5));
  EXPECT_EQ(exchange.response.status, 504);
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, ReplyInAResponseCallbackReplacesTheResponse) {
  add("a");
  add("b", on_response_head([](ScriptFilter& filter, EndStream) {
        filter.callbacks().reply(answer(502, "bad"));
        return Flow::kReplied;
      }));
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("secret", true);
  EXPECT_EQ(terminal->local_replies, 1);  // it forgets its upstream
  EXPECT_EQ(sent_body, "bad");
  EXPECT_EQ(exchange.response.status, 502);
  EXPECT_EQ(log, (Log{"a request head $", "b request head $", "terminal head $", "b response head",
                      "a response head", "host head 502", "a response body bad $", "a end", "b end",
                      "terminal end"}));
}

TEST_F(ChainTest, ReplyAfterTheHeadCutsTheStream) {
  Script script;
  script.response_body = [](ScriptFilter& filter, Buffer&, EndStream) {
    filter.callbacks().reply(answer(500));
    return Flow::kReplied;
  };
  add("a", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("x", false);
  EXPECT_EQ(aborted, "test");
  EXPECT_EQ(sent_body, "");
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, ResetCutsVisibly) {
  add("a", on_request_head([](ScriptFilter& filter, EndStream) {
        filter.callbacks().reset("gone wrong");
        return Flow::kReplied;
      }));
  finish_chain();
  chain.request_head(EndStream::kNo);
  EXPECT_EQ(aborted, "gone_wrong");
  EXPECT_EQ(log, (Log{"a request head", "a end", "terminal end"}));
}

TEST_F(ChainTest, TerminalAnswersInsideItsHeadCallback) {
  add("a");
  finish_chain().on_head = [this](FakeTerminal&) {
    response_head(301, true);
    EXPECT_EQ(terminal->ends, 0) << "the end waits until the terminal filter has returned";
  };
  chain.request_head(EndStream::kYes);
  EXPECT_EQ(terminal->ends, 1);
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, TerminalRepliesThroughItsCallbacks) {
  add("a");
  finish_chain().on_head = [](FakeTerminal& router) {
    router.callbacks().reply(answer(503, "down"));
  };
  chain.request_head(EndStream::kYes);
  EXPECT_EQ(log, (Log{"a request head $", "terminal head $", "a response head", "host head 503",
                      "a response body down $", "a end", "terminal end"}));
}

TEST_F(ChainTest, AddsABodyToARequestWithoutOne) {
  add("a", on_request_head([](ScriptFilter& filter, EndStream end) {
        EXPECT_EQ(end, EndStream::kYes);
        filter.callbacks().add_request_body(Buffer("hello"));
        return Flow::kContinue;
      }));
  add("b");
  finish_chain();
  chain.request_head(EndStream::kYes);
  EXPECT_EQ(log,
            (Log{"a request head $", "b request head", "terminal head", "b request body hello $"}));
  EXPECT_EQ(terminal->body, "hello");
  EXPECT_EQ(exchange.request.headers.get(HeaderId::kContentLength), "5");
}

TEST_F(ChainTest, AddsABodyToAResponseThatIsHeld) {
  ScriptFilter& a =
      add("a", on_response_head([](ScriptFilter&, EndStream) { return Flow::kPauseHead; }));
  finish_chain();
  chain.request_head(EndStream::kYes);
  exchange.response.headers.add(HeaderId::kContentLength, "0");
  response_head(200, true);
  a.callbacks().add_response_body(Buffer("one"));
  a.callbacks().add_response_body(Buffer(" two"));
  a.callbacks().continue_response();
  turn();
  EXPECT_EQ(sent_body, "one two");
  EXPECT_EQ(exchange.response.headers.get(HeaderId::kContentLength), "7");
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, AddsTrailersAtTheEndOfTheBody) {
  Script script;
  script.response_body = [](ScriptFilter& filter, Buffer&, EndStream end) {
    if (end == EndStream::kYes) filter.callbacks().add_response_trailers().add("x-sum", "1");
    return Flow::kContinue;
  };
  add("a");
  add("b", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("abc", true);
  EXPECT_EQ(sent_body, "abc");
  EXPECT_EQ(exchange.response_trailers.get("x-sum"), "1");
  EXPECT_EQ(log[log.size() - 5], "a response trailers");
  EXPECT_EQ(log[log.size() - 4], "host trailers");
}

TEST_F(ChainTest, ChangedBodyOfAHeldHeadGetsItsLength) {
  Script script;
  script.request_head = [](ScriptFilter&, EndStream) { return Flow::kPauseHead; };
  script.request_body = [](ScriptFilter&, Buffer& data, EndStream end) {
    if (end == EndStream::kNo) return Flow::kBuffer;
    data.replace(0, 3, "longer");
    return Flow::kContinue;
  };
  add("a", script);
  finish_chain();
  exchange.request.headers.add(HeaderId::kContentLength, "6");
  chain.request_head(EndStream::kNo);
  request_body("abc", false);
  request_body("def", true);
  EXPECT_EQ(terminal->body, "longerdef");
  EXPECT_EQ(exchange.request.headers.get(HeaderId::kContentLength), "9");
}

TEST_F(ChainTest, LengthIsDroppedWhenTheBodyIsNotWholeYet) {
  Script script;
  script.response_head = [](ScriptFilter&, EndStream) { return Flow::kPauseHead; };
  script.response_body = [](ScriptFilter&, Buffer& data, EndStream) {
    data.append("+");
    return Flow::kContinue;
  };
  add("a", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  exchange.response.headers.add(HeaderId::kContentLength, "6");
  response_head(200, false);
  response_body("abc", false);
  EXPECT_FALSE(exchange.response.headers.has(HeaderId::kContentLength));
  response_body("def", true);
  EXPECT_EQ(sent_body, "abc+def+");
  EXPECT_EQ(aborted, "");
}

TEST_F(ChainTest, LengthThatDoesNotHoldCutsTheResponse) {
  Script script;
  script.response_body = [](ScriptFilter&, Buffer& data, EndStream) {
    data.append("+");
    return Flow::kContinue;
  };
  add("a", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  exchange.response.headers.add(HeaderId::kContentLength, "3");
  response_head(200, false);
  response_body("abc", true);
  EXPECT_EQ(aborted, "filter_body_length_mismatch");
  EXPECT_EQ(sent_body, "");
}

TEST_F(ChainTest, LengthThatDoesNotHoldRefusesTheRequest) {
  Script script;
  script.request_body = [](ScriptFilter&, Buffer& data, EndStream) {
    data.drain(1);
    return Flow::kContinue;
  };
  add("a", script);
  finish_chain();
  exchange.request.headers.add(HeaderId::kContentLength, "3");
  chain.request_head(EndStream::kNo);
  request_body("abc", true);
  EXPECT_EQ(exchange.response.status, 502);
  EXPECT_EQ(sent_body, "Filter error");
  EXPECT_FALSE(terminal->request.ended());
}

TEST_F(ChainTest, DroppedBodyWithAnEndWaitsForContinue) {
  Script script;
  std::string kept;
  script.request_body = [&kept](ScriptFilter&, Buffer& data, EndStream) {
    kept += data.to_string();
    return Flow::kDrop;
  };
  ScriptFilter& a = add("a", script);
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body("abc", false);
  request_body("def", true);
  EXPECT_FALSE(terminal->request.ended());
  a.callbacks().add_request_body(Buffer("[" + kept + "]"));
  a.callbacks().continue_request();
  turn();
  EXPECT_EQ(terminal->body, "[abcdef]");
  EXPECT_TRUE(terminal->request.ended());
}

TEST_F(ChainTest, InjectsDataBetweenChunks) {
  ScriptFilter& a = add("a");
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body("1", false);
  a.callbacks().add_request_body(Buffer("2"));
  turn();
  request_body("3", true);
  EXPECT_EQ(terminal->body, "123");
  a.callbacks().add_request_body(Buffer("late"));
  turn();
  EXPECT_EQ(terminal->body, "123");
}

TEST_F(ChainTest, BackPressureOfTheClientReachesTheTerminalOnce) {
  Script script;
  script.response_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kWatermark; };
  ScriptFilter& a = add("a", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  chain.on_response_blocked();
  response_body(std::string(200, 'x'), false);
  EXPECT_EQ(terminal->blocked, 1) << "two reasons, one stop";
  chain.on_response_resumed();
  EXPECT_EQ(terminal->blocked, 1);
  a.callbacks().continue_response();
  turn();
  EXPECT_EQ(terminal->blocked, 0);
}

TEST_F(ChainTest, TerminalHoldsTheRequest) {
  finish_chain();
  chain.request_head(EndStream::kNo);
  terminal->chain->hold_request();
  terminal->chain->hold_request();
  EXPECT_EQ(held, 1);
  terminal->chain->release_request();
  EXPECT_EQ(held, 1);
  terminal->chain->release_request();
  EXPECT_EQ(held, 0);
  EXPECT_FALSE(terminal->chain->request_ended());
  request_body("", true);
  EXPECT_TRUE(terminal->chain->request_ended());
}

TEST_F(ChainTest, AbortedResponseWhoseHeadIsHeldBecomes502) {
  add("a", on_response_head([](ScriptFilter&, EndStream) { return Flow::kPauseAll; }));
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  terminal->chain->abort_response("upstream_reset");
  EXPECT_EQ(exchange.response.status, 502);
  EXPECT_TRUE(aborted.empty());
  EXPECT_EQ(done, 1);
}

TEST_F(ChainTest, RouteIsMatchedOnceUntilTheCacheIsCleared) {
  add("a", on_request_head([](ScriptFilter& filter, EndStream) {
        EXPECT_EQ(filter.callbacks().route_config(), nullptr);
        EXPECT_EQ(filter.callbacks().route_config(), nullptr);
        filter.callbacks().clear_route_cache();
        return Flow::kContinue;
      }));
  finish_chain().on_head = [](FakeTerminal& router) { EXPECT_EQ(router.chain->route(), nullptr); };
  chain.request_head(EndStream::kYes);
  EXPECT_EQ(matches, 2);
}

TEST_F(ChainTest, HeadsAreThereInTheLastCall) {
  struct Last final : HttpFilter {
    std::string* seen;
    void on_stream_end(const StreamInfo&) noexcept override {
      *seen = std::string(callbacks_->request_head()->method()) + " " +
              (callbacks_->response_head() == nullptr
                   ? "-"
                   : std::to_string(callbacks_->response_head()->status));
    }
  };
  std::string seen;
  chain.begin(*this, exchange, environment, 2);
  auto filter = std::make_unique<Last>();
  filter->seen = &seen;
  chain.add(std::move(filter), "last");
  finish_chain();
  chain.request_head(EndStream::kYes);
  chain.end();
  chain.end();
  EXPECT_EQ(seen, "POST -");
}

TEST_F(ChainTest, ChainIsUsedAgain) {
  for (int round = 0; round < 3; ++round) {
    Script script;
    script.request_head = [](ScriptFilter&, EndStream) { return Flow::kPauseAll; };
    ScriptFilter& a = add("a", script);
    finish_chain();
    chain.request_head(EndStream::kNo);
    request_body("left over", false);
    if (round == 2) {
      a.callbacks().continue_request();
      turn();
      EXPECT_EQ(terminal->body, "left over");
    }
    chain.end();
    chain.clear();
    sent = OrderCheck();
  }
  EXPECT_EQ(held, 0);
}

TEST_F(ChainTest, NothingHappensAfterTheEnd) {
  ScriptFilter& a =
      add("a", on_request_head([](ScriptFilter&, EndStream) { return Flow::kPauseAll; }));
  finish_chain();
  chain.request_head(EndStream::kNo);
  a.callbacks().continue_request();  // due at the end of the turn
  chain.end();                       // but the client has gone before
  turn();
  EXPECT_FALSE(terminal->request.started());
  request_body("x", true);
  EXPECT_EQ(log, (Log{"a request head", "a end", "terminal end"}));
}

}  // namespace
}  // namespace weir::stream::test
