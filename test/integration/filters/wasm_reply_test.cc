// Guests and answers that the proxy, or they themselves, have on the way: the client gets one whole answer, or sees that it is cut.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

constexpr const char* kOpen = "failure_policy: FAIL_OPEN";

/// The head of an answer whose body is cut.
std::string cut_head(Peer& client, const std::string& headers) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n");
  const std::string all = client.read_to_end();
  EXPECT_EQ(all.find("\r\n\r\nok"), std::string::npos) << all;
  return all;
}

TEST(WasmReply, InTheHeadOfALocalReplyTakesItsPlace) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-do: response_headers=reply|403|no\r\n");
  EXPECT_EQ(answer.status(), 403);
  EXPECT_EQ(answer.body, "no");
  EXPECT_EQ(ask(client).body, "ok");  // the connection is as good as before
}

TEST(WasmReply, InTheBodyOfALocalReplyCutsIt) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  cut_head(client, "x-do: response_body=reply|403|no\r\n");
  Peer other = proxy.connect();
  EXPECT_EQ(ask(other).body, "ok");
}

TEST(WasmReply, OfEveryFilterOnTheWayTheLastOneCounts) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters =
      filter(Plugin{.configuration = "response_headers=reply|401|first", .name = "one"}) +
      filter(Plugin{.configuration = "response_headers=reply|402|second", .name = "two"});
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client);
  EXPECT_EQ(answer.status(), 401);
  EXPECT_EQ(answer.body, "first");
}

TEST(WasmReply, OfTheGuestToAnAnswerOfItsOwnIsIgnored) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client, "x-do: request_headers=reply|401|first;response_headers=reply|402|second\r\n");
  EXPECT_EQ(answer.status(), 401);
  EXPECT_EQ(answer.body, "first");
}

TEST(WasmReply, OfTheGuestThatHoldsAnAnswerOfItsOwnLetsItGo) {
  AutoOrigin origin([](const Peer::Message&) { return response("verdict"); });
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client,
                                   "x-do: request_headers=reply|401|first;"
                                   "response_headers=reply_from_call|origin|/check|5000\r\n");
  EXPECT_EQ(answer.status(), 401);
  EXPECT_EQ(answer.body, "first");
}

TEST(WasmReply, OfTheGuestThatHoldsALocalReplyTakesItsPlace) {
  AutoOrigin origin([](const Peer::Message&) { return response("verdict"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.routes = kDirect;
  yaml.filters = filter(Plugin{});
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-do: response_headers=reply_from_call|origin|/check|5000\r\n").body,
            "verdict");
}

class ReplyPolicyTest : public ::testing::TestWithParam<std::string> {
 protected:
  bool open() const { return GetParam() == kOpen; }
};

TEST_P(ReplyPolicyTest, HoldsForATrapInTheHeadOfALocalReply) {
  TestProxy proxy(yaml_with(Plugin{.plugin = GetParam()}));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-do: response_headers=trap\r\n").status(), open() ? 200 : 503);
  EXPECT_EQ(ask(client).status(), 200);
}

TEST_P(ReplyPolicyTest, HoldsForATrapInTheBodyOfALocalReply) {
  TestProxy proxy(yaml_with(Plugin{.plugin = GetParam()}));
  Peer client = proxy.connect();
  if (open()) {
    EXPECT_EQ(ask(client, "x-do: response_body=trap\r\n").body, "ok");
  } else {
    cut_head(client, "x-do: response_body=trap\r\n");
  }
  Peer other = proxy.connect();
  EXPECT_EQ(ask(other).status(), 200);
}

TEST_P(ReplyPolicyTest, HoldsForALocalReplyThatADeadVmHeld) {
  TestProxy proxy(yaml_with(Plugin{.plugin = GetParam()}));
  Peer held = proxy.connect();
  held.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: response_headers=pause\r\n\r\n");
  proxy.wait_for("the stream in the VM", [&proxy] {
    return proxy.admin("/wasm").find("\"streams\":1") != std::string::npos;
  });
  Peer bad = proxy.connect();
  ask(bad, "x-do: request_headers=trap\r\n");
  EXPECT_EQ(held.read_message().status(), open() ? 200 : 503);
}

INSTANTIATE_TEST_SUITE_P(Policies, ReplyPolicyTest,
                         ::testing::Values("failure_policy: FAIL_CLOSED", kOpen),
                         [](const auto& info) { return info.param.substr(16); });

TEST(WasmReply, IdleTimeOutEndsTheWaitForAHeldLocalReply) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.hcm = "stream_idle_timeout: 0.1s\n";
  yaml.filters = filter(Plugin{.configuration = "response_headers=pause", .name = "one"}) +
                 filter(Plugin{.configuration = "response_headers=pause", .name = "two"});
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  // The first one's answer is held by the other filter.
  EXPECT_NE(ask(client).status(), 200);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_idle_timeout"), 2u);
}

TEST(WasmReply, IdleTimeOutCutsALocalReplyWhoseBodyIsHeld) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.hcm = "stream_idle_timeout: 0.1s\n";
  yaml.filters = filter(Plugin{});
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  cut_head(client, "x-do: response_body=pause\r\n");
}

}  // namespace
}  // namespace weir::test
