// The response header that says what each filter has cost.
#include <gtest/gtest.h>

#include <cstdlib>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

constexpr const char* kRoutes =
    "- match: {prefix: /timed}\n  include_filter_times_in_response: true\n"
    "  route: {cluster: origin}\n"
    "- match: {prefix: /own}\n  include_filter_times_in_response: true\n"
    "  direct_response: {status: 200, body: {inline_string: ok}}\n"
    "- match: {prefix: /}\n  route: {cluster: origin}\n";

constexpr const char* kNative =
    "- name: add native\n  typed_config:\n"
    "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3."
    "HeaderMutation\n"
    "    mutations: {request_mutations: [{append: {header: {key: x-n, value: y}}}]}\n";

/// Milliseconds that the header gives the filter; -1: it is not there.
double spent(const Peer::Message& answer, const std::string& filter) {
  const std::string text = ", " + answer.header("x-weir-filters") + ",";
  const std::string before = ", " + filter + ";dur=";
  const size_t at = text.find(before);
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + before.size(), nullptr);
}

class FilterTimes : public ::testing::Test {
 protected:
  FilterTimes()
      : origin_([](const Peer::Message&) {
          return response("hi", 200, "x-weir-filters: theirs\r\n");
        }) {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.routes = kRoutes;
    yaml.filters = filter(Plugin{.vm = "limits: {call_timeout: 0s}", .name = "one"}) + kNative;
    proxy_ = std::make_unique<TestProxy>(yaml.text());
    client_ = proxy_->connect();
  }
  AutoOrigin origin_;
  std::unique_ptr<TestProxy> proxy_;
  Peer client_;
};

TEST_F(FilterTimes, StandInTheOrderOfTheChain) {
  const std::string times = ask(client_, "", "/timed").header("x-weir-filters");
  const size_t guest = times.find("wasm_one;dur="), native = times.find("add_native;dur="),
               router = times.find("router;dur=");
  EXPECT_EQ(guest, 0u) << times;
  EXPECT_LT(guest, native) << times;
  EXPECT_LT(native, router) << times;
  EXPECT_NE(router, std::string::npos) << times;
}

TEST_F(FilterTimes, CountWhatAFilterDoesAndNotWhatTheOthersDo) {
  const Peer::Message answer =
      ask(client_, "x-do: request_headers=burn|30;response_headers=burn|20\r\n", "/timed");
  EXPECT_GE(spent(answer, "wasm_one"), 50.0) << answer.head;
  EXPECT_LT(spent(answer, "add_native"), spent(answer, "wasm_one")) << answer.head;
  EXPECT_GE(spent(answer, "add_native"), 0.0);
}

TEST_F(FilterTimes, OfAnAnswerThatIsOurOwn) {
  // The router answers inside its own callback: what filters do to the response is theirs.
  const Peer::Message answer = ask(client_, "x-do: response_headers=burn|30\r\n", "/own");
  EXPECT_EQ(answer.body, "ok");
  EXPECT_GE(spent(answer, "wasm_one"), 30.0) << answer.head;
  double router = 0;
  const size_t at = answer.head.find("router;dur=");
  ASSERT_NE(at, std::string::npos) << answer.head;
  router = std::strtod(answer.head.c_str() + at + 11, nullptr);
  EXPECT_LT(router, spent(answer, "wasm_one")) << answer.head;
}

TEST_F(FilterTimes, FiltersThatWereNotReachedAreLeftOut) {
  const Peer::Message answer = ask(client_, "x-do: request_headers=reply|403|no\r\n", "/timed");
  EXPECT_EQ(answer.status(), 403);
  EXPECT_GE(spent(answer, "wasm_one"), 0.0) << answer.head;
  EXPECT_EQ(spent(answer, "add_native"), -1);
}

TEST_F(FilterTimes, AHeadThatWaits) {
  Peer::Message answer = ask(client_, "x-do: request_headers=pause_until_tick|40\r\n", "/timed");
  std::string times = answer.header("x-weir-filters");
  size_t at = times.find(";held=");
  ASSERT_NE(at, std::string::npos) << times;
  EXPECT_LT(at, times.find("add_native")) << times;
  EXPECT_GE(std::strtod(times.c_str() + at + 6, nullptr), 30.0) << times;
  EXPECT_EQ(times.find(";held=", at + 1), std::string::npos) << "of the others none has";
  EXPECT_EQ(ask(client_, "", "/timed").header("x-weir-filters").find("held"), std::string::npos);
}

TEST_F(FilterTimes, OtherRoutesHaveNone) {
  EXPECT_EQ(ask(client_, "", "/else").header("x-weir-filters"), "theirs")
      << "a header of the origin passes there";
}

TEST(FilterTimesOfAHost, HoldForItsRoutes) {
  Yaml yaml;
  yaml.routes = std::string(kDirect) + "  include_filter_times_in_response: false\n";
  yaml.filters = filter(Plugin{});
  std::string text = yaml.text();
  const size_t at = text.find("domains:");
  ASSERT_NE(at, std::string::npos);
  text.insert(at, "include_filter_times_in_response: true\n" +
                      std::string(at - text.rfind('\n', at) - 1, ' '));
  TestProxy proxy(text);
  Peer client = proxy.connect();
  EXPECT_TRUE(ask(client).has("x-weir-filters"));
}

}  // namespace
}  // namespace weir::test
