// Answers that come while another answer is on its way, and heads that a filter goes on holding alone.
#include <functional>

#include "stream/slot_callbacks.h"
#include "unit/stream/chain_fixture.h"

namespace weir::stream::test {
namespace {

using Script = ScriptFilter::Script;

LocalReply answer(int status, std::string body = "") {
  LocalReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.details = "test";
  return reply;
}

class ChainReplyTest : public ChainFixture {
 protected:
  static Script on_head(std::function<Flow(ScriptFilter&, EndStream)> does) {
    Script script;
    script.response_head = std::move(does);
    return script;
  }
  static Script holds_head() {
    return on_head([](ScriptFilter&, EndStream) { return Flow::kPauseAll; });
  }
  static Script holds_body() {
    Script script;
    script.response_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kBuffer; };
    return script;
  }
  /// The router answers.
  void play() {
    finish_chain();
    terminal->on_head = [](FakeTerminal& router) { router.callbacks().reply(answer(503, "none")); };
    chain.request_head(EndStream::kYes);
  }
  void expect_answer(int status, const std::string& body) {
    EXPECT_EQ(exchange.response.status, status);
    EXPECT_EQ(sent_body, body);
    EXPECT_TRUE(sent.ended());
    EXPECT_EQ(aborted, "");
    EXPECT_EQ(done, 1);
    EXPECT_EQ(terminal->local_replies, 1);
  }
};

TEST_F(ChainReplyTest, InAHeadCallbackOfAnAnswerTakesItsPlace) {
  add("a");
  add("b", on_head([](ScriptFilter& filter, EndStream) {
        filter.callbacks().reply(answer(403, "no"));
        return Flow::kReplied;
      }));
  add("c");
  play();
  expect_answer(403, "no");
  EXPECT_EQ(log, (Log{"a request head $", "b request head $", "c request head $", "terminal head $",
                      "c response head", "b response head", "a response head", "host head 403",
                      "a response body no $", "a end", "b end", "c end", "terminal end"}));
}

TEST_F(ChainReplyTest, FromEveryFilterOnTheWayTheLastOneCounts) {
  for (const int status : {401, 402, 403}) {
    add(std::to_string(status), on_head([status](ScriptFilter& filter, EndStream) {
          filter.callbacks().reply(answer(status, std::to_string(status)));
          return Flow::kReplied;
        }));
  }
  play();
  expect_answer(401, "401");
}

TEST_F(ChainReplyTest, InABodyCallbackOfAnAnswerWhoseHeadIsHeldTakesItsPlace) {
  Script script = on_head([](ScriptFilter&, EndStream) { return Flow::kPauseHead; });
  script.response_body = [](ScriptFilter& filter, Buffer&, EndStream) {
    filter.callbacks().reply(answer(500, "bad"));
    return Flow::kReplied;
  };
  add("a", script);
  play();
  expect_answer(500, "bad");
}

TEST_F(ChainReplyTest, InABodyCallbackOfAnAnswerThatHasBegunCutsIt) {
  Script script;
  script.response_body = [](ScriptFilter& filter, Buffer&, EndStream) {
    filter.callbacks().reply(answer(500, "bad"));
    return Flow::kReplied;
  };
  add("a", script);
  play();
  EXPECT_EQ(aborted, "test");
  EXPECT_EQ(sent_body, "");
  EXPECT_EQ(done, 1);
}

TEST_F(ChainReplyTest, OfTheFilterThatHoldsAnAnswerTakesItsPlace) {
  ScriptFilter& holder = add("a", holds_head());
  play();
  EXPECT_EQ(done, 0);
  holder.callbacks().reply(answer(504, "late"));
  turn();
  expect_answer(504, "late");
}

TEST_F(ChainReplyTest, OfAFilterThatDoesNotHoldTheAnswerIsIgnored) {
  ScriptFilter& holder = add("a", holds_head());
  ScriptFilter& other = add("b");
  play();
  other.callbacks().reply(answer(504, "late"));
  turn();
  EXPECT_EQ(done, 0);
  holder.callbacks().continue_response();
  turn();
  expect_answer(503, "none");
}

TEST_F(ChainReplyTest, OfTheHostPassesTheFilterThatHoldsAnAnswer) {
  add("a");
  add("b", holds_head());
  play();
  EXPECT_EQ(done, 0);
  chain.reply(answer(408, "time-out"));
  expect_answer(408, "time-out");
  EXPECT_EQ(log[log.size() - 4], "a response body time-out $");
}

TEST_F(ChainReplyTest, OfTheHostCutsAnAnswerWhoseBodyIsHeld) {
  add("a", holds_body());
  play();
  EXPECT_EQ(done, 0);
  chain.reply(answer(408));
  EXPECT_EQ(aborted, "test");
  EXPECT_EQ(done, 1);
}

TEST_F(ChainReplyTest, LargerThanTheBufferOfWhoHoldsItIsCut) {
  add("a", holds_body());
  finish_chain();
  terminal->on_head = [](FakeTerminal& router) {
    router.callbacks().reply(answer(503, std::string(200, 'x')));
  };
  chain.request_head(EndStream::kYes);
  EXPECT_FALSE(aborted.empty());
  EXPECT_EQ(done, 1);
}

// ---- a head that goes on being held ---------------------------------------------------------------

class ShownBodyTest : public ChainReplyTest {
 protected:
  static void show(ScriptFilter& filter) {
    static_cast<SlotCallbacks&>(filter.callbacks()).show_request_body();
  }
  static Script pauses_all() {
    Script script;
    script.request_head = [](ScriptFilter&, EndStream) { return Flow::kPauseAll; };
    return script;
  }
};

TEST_F(ShownBodyTest, ComesToTheFilterThatHoldsTheHead) {
  Script script = pauses_all();
  script.request_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kBuffer; };
  ScriptFilter& filter = add("a", script);
  finish_chain();
  exchange.request.headers.set(HeaderId::kContentLength, "6");
  chain.request_head(EndStream::kNo);
  request_body("abc", false);
  EXPECT_EQ(log, (Log{"a request head"}));
  show(filter);
  turn();
  EXPECT_EQ(log.back(), "a request body abc");
  request_body("def", true);
  EXPECT_EQ(log.back(), "a request body abcdef $");
  EXPECT_FALSE(terminal->request.started());
  filter.callbacks().continue_request();
  turn();
  EXPECT_EQ(terminal->body, "abcdef");
  EXPECT_TRUE(terminal->request.ended());
  EXPECT_EQ(exchange.request.headers.get(HeaderId::kContentLength), "6");
}

TEST_F(ShownBodyTest, LetsTheHeadGoWithTheBody) {
  ScriptFilter& filter = add("a", pauses_all());
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body(std::string(150, 'x'), false);
  EXPECT_EQ(held, 1);
  chain.request_trailers_received();
  show(filter);
  turn();
  EXPECT_EQ(held, 0);
  EXPECT_TRUE(filter.request.ended());
  EXPECT_EQ(log.back(), "terminal trailers");
  EXPECT_EQ(terminal->body.size(), 150u);
}

TEST_F(ShownBodyTest, IsNothingWhereNoHeadIsHeld) {
  ScriptFilter& filter = add("a");
  finish_chain();
  chain.request_head(EndStream::kNo);
  show(filter);
  turn();
  request_body("abc", true);
  EXPECT_EQ(terminal->body, "abc");
}

TEST_F(ShownBodyTest, LengthThatIsAnnouncedAheadStands) {
  Script script = pauses_all();
  script.request_body = [](ScriptFilter&, Buffer& data, EndStream) {
    data.append("de");
    return Flow::kContinue;
  };
  ScriptFilter& filter = add("a", script);
  finish_chain();
  exchange.request.headers.set(HeaderId::kContentLength, "3");
  chain.request_head(EndStream::kNo);
  request_body("abc", true);
  exchange.request.headers.set(HeaderId::kContentLength, "5");
  filter.callbacks().continue_request();
  turn();
  EXPECT_EQ(exchange.request.headers.get(HeaderId::kContentLength), "5");
  EXPECT_EQ(terminal->body, "abcde");
  EXPECT_EQ(done, 0);
}

}  // namespace
}  // namespace weir::stream::test
