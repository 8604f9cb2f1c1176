// pass_*_body: what a filter lets through in front of what it holds.
#include <algorithm>

#include "unit/stream/chain_fixture.h"

namespace weir::stream::test {
namespace {

class ChainPass : public ChainFixture {
 protected:
  /// A filter that keeps the response's body with back-pressure.
  ScriptFilter& keeper() {
    ScriptFilter::Script keep;
    keep.response_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kWatermark; };
    keep.request_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kWatermark; };
    ScriptFilter& filter = add("keeper", keep);
    finish_chain();
    return filter;
  }
  /// The first `n` held bytes go on.
  static void pass_response(ScriptFilter& filter, size_t n) {
    Buffer slice;
    filter.callbacks().held_response_body()->move_to(slice, n);
    filter.callbacks().pass_response_body(std::move(slice));
  }
};

TEST_F(ChainPass, PieceByPieceAlsoBehindTheEnd) {
  ScriptFilter& filter = keeper();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("abcdef", true);
  EXPECT_EQ(sent_body, "");
  pass_response(filter, 2);
  turn();
  EXPECT_EQ(sent_body, "ab");
  EXPECT_FALSE(sent.ended());
  pass_response(filter, 4);
  filter.callbacks().continue_response();
  turn();
  EXPECT_EQ(sent_body, "abcdef");
  EXPECT_TRUE(sent.ended());
  filter.callbacks().pass_response_body(Buffer("late"));
  turn();
  EXPECT_EQ(sent_body, "abcdef");
}

TEST_F(ChainPass, ContinueAtTheTrailersLetsAllGo) {
  keeper();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("abc", false);
  chain.send_response_trailers();
  EXPECT_EQ(sent_body, "abc");
  EXPECT_TRUE(sent.ended());
}

TEST_F(ChainPass, TheSenderResumesWhenLittleIsHeld) {
  ScriptFilter& filter = keeper();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body(std::string(150, 'x'), false);
  EXPECT_EQ(terminal->blocked, 1);
  pass_response(filter, 50);
  turn();
  EXPECT_EQ(terminal->blocked, 1);
  pass_response(filter, 60);
  turn();
  EXPECT_EQ(terminal->blocked, 0);
  EXPECT_EQ(sent_body.size(), 110u);
}

TEST_F(ChainPass, Requests) {
  ScriptFilter& filter = keeper();
  chain.request_head(EndStream::kNo);
  request_body("abc", true);
  Buffer slice;
  filter.callbacks().held_request_body()->move_to(slice, 3);
  filter.callbacks().pass_request_body(std::move(slice));
  turn();
  EXPECT_EQ(terminal->body, "abc");
  EXPECT_FALSE(terminal->request.ended());
  filter.callbacks().continue_request();
  turn();
  EXPECT_EQ(terminal->body, "abc");
  EXPECT_TRUE(terminal->request.ended());
}

TEST_F(ChainPass, FromInsideTheTrailers) {
  ScriptFilter::Script script;
  script.request_trailers = [](ScriptFilter& self) {
    self.callbacks().pass_request_body(Buffer("+more"));
    return Flow::kContinue;
  };
  script.response_trailers = [](ScriptFilter& self) {
    self.callbacks().pass_response_body(Buffer("+tail"));
    return Flow::kContinue;
  };
  add("front");
  add("passer", script);
  add("behind");
  finish_chain();
  chain.request_head(EndStream::kNo);
  request_body("abc", false);
  chain.request_trailers_received();
  EXPECT_EQ(terminal->body, "abc+more");
  EXPECT_TRUE(terminal->request.ended());
  response_head(200, false);
  response_body("def", false);
  chain.send_response_trailers();
  EXPECT_EQ(sent_body, "def+tail");
  const auto tail = std::find(log.begin(), log.end(), "front response body +tail");
  ASSERT_LT(tail - log.begin() + 2, log.end() - log.begin());
  EXPECT_EQ(tail[1], "front response trailers");
  EXPECT_EQ(tail[2], "host trailers");
}

TEST_F(ChainPass, FromInsideTheBodyStandsInFrontOfTheRest) {
  ScriptFilter::Script script;
  script.response_body = [](ScriptFilter& self, Buffer& data, EndStream) {
    Buffer first;
    data.move_to(first, 1);
    self.callbacks().pass_response_body(std::move(first));
    return Flow::kContinue;
  };
  add("passer", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("abc", false);
  response_body("def", true);
  EXPECT_EQ(sent_body, "abcdef");
  EXPECT_TRUE(sent.ended());
}

TEST_F(ChainPass, NotBeforeTheHead) {
  ScriptFilter::Script hold;
  hold.response_head = [](ScriptFilter&, EndStream) { return Flow::kPauseHead; };
  ScriptFilter& filter = add("holder", hold);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  filter.callbacks().pass_response_body(Buffer("early"));
  turn();
  EXPECT_EQ(sent_body, "");
  EXPECT_FALSE(sent.started());
}

// inject_response_body: data of a filter's own.

class ChainInject : public ChainFixture {
 protected:
  static void inject(ScriptFilter& filter, std::string_view text, EndStream end = EndStream::kNo) {
    filter.callbacks().inject_response_body(Buffer(text), end);
  }
  void release_after_injection(ScriptFilter& filter) {
    chain.request_head(EndStream::kYes);
    response_head(200, false);
    response_body("held", true);
    EXPECT_FALSE(sent.started());
    inject(filter, "first|");
    turn();
    EXPECT_TRUE(sent.started());
    EXPECT_EQ(sent_body, "first|");
    filter.callbacks().continue_response();
    turn();
    EXPECT_EQ(sent_body, "first|held");
    EXPECT_TRUE(sent.ended());
  }
};

TEST_F(ChainInject, StandsInFrontOfWhatTheFilterIsShown) {
  ScriptFilter::Script script;
  script.response_body = [](ScriptFilter& self, Buffer& data, EndStream) {
    inject(self, "<" + data.to_string() + ">");
    return data.to_string() == "b" ? Flow::kDrop : Flow::kContinue;
  };
  add("injector", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("a", false);
  response_body("b", false);
  response_body("c", true);
  turn();
  EXPECT_EQ(sent_body, "<a>a<b><c>c");
  EXPECT_TRUE(sent.ended());
}

TEST_F(ChainInject, LetsAHeadGoThatWaitsAndLeavesWhatIsHeld) {
  ScriptFilter::Script script;
  script.response_head = [](ScriptFilter&, EndStream) { return Flow::kPauseHead; };
  script.response_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kBuffer; };
  ScriptFilter& filter = add("holder", script);
  finish_chain();
  release_after_injection(filter);
}

TEST_F(ChainInject, LetsAHeadGoThatWaitsWithItsBodyUnseen) {
  ScriptFilter::Script script;
  script.response_head = [](ScriptFilter&, EndStream) { return Flow::kPauseAll; };
  ScriptFilter& filter = add("holder", script);
  finish_chain();
  release_after_injection(filter);
}

TEST_F(ChainInject, GivesABodyToAResponseWithout) {
  ScriptFilter::Script script;
  script.response_head = [](ScriptFilter& self, EndStream) {
    inject(self, "body");
    return Flow::kContinue;
  };
  add("injector", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, true);
  turn();
  EXPECT_EQ(sent_body, "body");
  EXPECT_TRUE(sent.ended());
}

TEST_F(ChainInject, TooMuchInOneTurnCutsTheStream) {
  ScriptFilter::Script script;
  script.response_body = [](ScriptFilter& self, Buffer&, EndStream) {
    for (int i = 0; i < 40; ++i) inject(self, std::string(1024 * 1024, 'x'));
    return Flow::kContinue;
  };
  add("injector", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("a", false);
  turn();
  EXPECT_LT(sent_body.size(), size_t{17} * 1024 * 1024);
  EXPECT_FALSE(sent.ended());
  EXPECT_EQ(aborted, "filter_injected_too_much");
}

TEST_F(ChainInject, InTheTrailersGoesInFrontOfThem) {
  ScriptFilter::Script script;
  script.response_body = [](ScriptFilter&, Buffer&, EndStream) { return Flow::kBuffer; };
  script.response_trailers = [](ScriptFilter& self) {
    inject(self, "injected|");
    return Flow::kContinue;
  };
  add("injector", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("held", false);
  chain.send_response_trailers();
  EXPECT_EQ(sent_body, "injected|held");
  EXPECT_TRUE(sent.ended());
  EXPECT_EQ(std::count(log.begin(), log.end(), "host trailers"), 1);
}

TEST_F(ChainInject, InTheTrailersMayEndTheResponseInTheirPlace) {
  ScriptFilter::Script script;
  script.response_head = [](ScriptFilter&, EndStream) { return Flow::kPauseHead; };
  script.response_trailers = [](ScriptFilter& self) {
    inject(self, "end", EndStream::kYes);
    return Flow::kContinue;
  };
  add("injector", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  chain.send_response_trailers();
  EXPECT_EQ(sent_body, "end");
  EXPECT_TRUE(sent.ended());
  EXPECT_EQ(std::count(log.begin(), log.end(), "host trailers"), 0);
}

TEST_F(ChainInject, WhatTheClientDoesNotReadIsBounded) {
  ScriptFilter& filter = add("injector");
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  const std::string piece(1024 * 1024, 'x');
  const auto inject_pieces = [&](int count) {
    for (int i = 0; i < count; ++i) {
      inject(filter, piece);
      turn();  // it has gone on: nothing stands in the chain
    }
  };
  inject_pieces(20);  // the client reads
  chain.on_response_blocked();
  inject_pieces(16);
  EXPECT_EQ(aborted, "");
  chain.on_response_resumed();  // it has read: the count begins anew
  chain.on_response_blocked();
  inject_pieces(16);
  EXPECT_EQ(aborted, "");
  EXPECT_EQ(sent_body.size(), 52 * piece.size());
  inject_pieces(1);
  EXPECT_EQ(aborted, "filter_injected_too_much");
  EXPECT_EQ(sent_body.size(), 52 * piece.size());
}

TEST_F(ChainInject, MayEndTheResponse) {
  ScriptFilter::Script script;
  script.response_body = [](ScriptFilter& self, Buffer&, EndStream) {
    inject(self, "end", EndStream::kYes);
    inject(self, "too late");
    return Flow::kContinue;
  };
  add("injector", script);
  finish_chain();
  chain.request_head(EndStream::kYes);
  response_head(200, false);
  response_body("never sent", false);
  turn();
  EXPECT_EQ(sent_body, "end");
  EXPECT_TRUE(sent.ended());
}

}  // namespace
}  // namespace weir::stream::test
