// Filters written in Go: rate_limit and policy_auth.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

// ---- rate_limit -------------------------------------------------------------------------------------

class RateLimit : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_FILTER("rate_limit"); }
  static Plugin plugin(std::string configuration) {
    return Plugin{.guest = filter_path("rate_limit"), .configuration = std::move(configuration)};
  }
  AutoOrigin origin_{[](const Peer::Message&) { return response("origin"); }};
};

TEST_F(RateLimit, RefusesWhatIsAboveTheLimitOfItsKey) {
  TestProxy proxy(yaml_with(plugin(R"({"rules": [{"name": "all", "key": {"header": "x-key"}, )"
                                   R"("requests_per_unit": 36, "unit": "hour", "burst": 2}]})"),
                            origin_.port()));
  Peer client = proxy.connect();
  Peer::Message answer = ask(client, "x-key: a\r\n");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.header("x-ratelimit-limit"), "2");
  EXPECT_EQ(answer.header("x-ratelimit-remaining"), "1");
  EXPECT_EQ(answer.header("x-ratelimit-reset"), "100");
  EXPECT_EQ(ask(client, "x-key: a\r\n").header("x-ratelimit-remaining"), "0");
  answer = ask(client, "x-key: a\r\n");
  EXPECT_EQ(answer.status(), 429);
  EXPECT_EQ(answer.body, "too many requests\n");
  EXPECT_EQ(answer.header("x-ratelimit-limit"), "2");
  EXPECT_EQ(answer.header("x-ratelimit-remaining"), "0");
  EXPECT_EQ(answer.header("retry-after"), "100");
  // Another key, and a request without one (by its address), have buckets of their own.
  EXPECT_EQ(ask(client, "x-key: b\r\n").status(), 200);
  EXPECT_EQ(ask(client).header("x-ratelimit-remaining"), "1");
  EXPECT_EQ(proxy.counter("wasmcustom.rate_limit.admitted"), 4u);
  EXPECT_EQ(proxy.counter("wasmcustom.rate_limit.limited"), 1u);
  EXPECT_EQ(origin_.requests(), 4u);
}

TEST_F(RateLimit, AllWorkersTakeFromOneBucket) {
  TestProxy proxy(yaml_with(plugin(R"({"rules": [{"name": "all", "requests_per_unit": 1, )"
                                   R"("unit": "day", "burst": 25}]})"),
                            origin_.port()),
                  TestProxy::Options{.workers = 2});
  Peer first =
      proxy.connect();  // makes the bucket: the ABI cannot make it only where there is none
  EXPECT_EQ(ask(first).status(), 200);
  std::atomic<int> admitted{1};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&proxy, &admitted] {
      for (int n = 0; n < 20; ++n) {
        Peer client = proxy.connect();
        if (ask(client).status() == 200) ++admitted;
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(admitted.load(),
            25 + static_cast<int>(proxy.counter("wasmcustom.rate_limit.contended")));
}

TEST_F(RateLimit, RulesMatchByPathAndMethodAndTheFirstCounts) {
  TestProxy proxy(
      yaml_with(plugin(R"({"status": 503, "body": "later", "headers": false, "rules": [)"
                       R"({"name": "deny", "prefix": "/k", "key": {"header": "x-key"}, )"
                       R"("without_key": "deny", "requests_per_unit": 9}, )"
                       R"({"name": "free", "prefix": "/f", "key": {"header": "x-key"}, )"
                       R"("without_key": "admit", "requests_per_unit": 9}, )"
                       R"({"name": "reads", "prefix": "/r", "methods": ["GET"], )"
                       R"("requests_per_unit": 1, "unit": "day"}]})"),
                origin_.port()));
  Peer client = proxy.connect();
  Peer::Message answer = ask(client, "", "/k");
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.body, "later");
  EXPECT_EQ(ask(client, "x-key: a\r\n", "/k").status(), 200);
  EXPECT_EQ(ask(client, "", "/f").status(), 200);
  EXPECT_EQ(ask(client, "", "/r").status(), 200);
  answer = ask(client, "", "/r");
  EXPECT_EQ(answer.status(), 503);
  EXPECT_FALSE(says(answer.head, "ratelimit")) << answer.head;
  client.send("POST /r HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(client.read_message().status(), 200);
}

TEST_F(RateLimit, ItsBucketsOutliveAnEdit) {
  const std::string rules = R"("rules": [{"name": "all", "requests_per_unit": 1, "unit": "day"}]})";
  TestProxy proxy(yaml_with(plugin("{" + rules), origin_.port()),
                  TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
  proxy.write_config(yaml_with(plugin(R"({"status": 420, )" + rules), origin_.port()));
  proxy.wait_for_generation(2);
  EXPECT_EQ(ask(client).status(), 420);
  proxy.write_config(yaml_with(plugin(R"({"status": 42, )" + rules), origin_.port()));
  proxy.wait_for_rejection(1);
}

// ---- policy_auth ------------------------------------------------------------------------------------

class PolicyAuth : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_FILTER("policy_auth"); }

  std::string yaml(const std::string& options, uint16_t policy_port = 0) {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.filters = filter(
        Plugin{.guest = filter_path("policy_auth"),
               .configuration = R"({"cluster": "policy", "timeout_ms": 2000)" + options + "}"});
    yaml.more_clusters =
        "- name: policy\n  connect_timeout: 1s\n  load_assignment:\n    cluster_name: policy\n"
        "    endpoints:\n    - lb_endpoints:\n      - endpoint: {address: {socket_address: "
        "{address: 127.0.0.1, port_value: " +
        std::to_string(policy_port != 0 ? policy_port : policy_.port()) + "}}}\n";
    return yaml.text();
  }

  std::string answer_policy(const Peer::Message& request) {
    const std::lock_guard lock(mutex_);
    questions_.push_back(request);
    return answer_.empty() ? std::string() : response(answer_, status_);
  }
  void set_answer(std::string text, int status = 200) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(text);
    status_ = status;
  }
  std::vector<Peer::Message> questions() {
    const std::lock_guard lock(mutex_);
    return questions_;
  }

  std::mutex mutex_;
  std::string answer_ = R"({"result": true})";
  int status_ = 200;
  std::vector<Peer::Message> questions_;
  AutoOrigin origin_{[](const Peer::Message& request) { return response(request.head); }};
  AutoOrigin policy_{[this](const Peer::Message& request) { return answer_policy(request); }};
};

TEST_F(PolicyAuth, AsksWithTheRequestAndPassesItOn) {
  TestProxy proxy(yaml(R"(, "path": "/v1/data/app", "authority": "opa", )"
                       R"("send_headers": ["X-User"], "own_headers": ["x-role"], )"
                       R"("call_headers": {"authorization": "Bearer t"})"));
  set_answer(R"({"result": {"allowed": true, "headers": {"x-team": "blue"}, )"
             R"("response_headers": {"x-policy": "7"}}})");
  Peer client = proxy.connect();
  const Peer::Message answer = ask(
      client, "x-user: ann\r\nx-team: forged\r\nx-role: forged\r\ncookie: c\r\n", "/pets/7?x=1");
  EXPECT_EQ(answer.status(), 200) << answer.head;
  EXPECT_EQ(answer.header("x-policy"), "7");
  EXPECT_TRUE(says(answer.body, "x-team: blue\r\n")) << answer.body;
  EXPECT_FALSE(says(answer.body, "forged")) << answer.body;
  ASSERT_EQ(questions().size(), 1u);
  const Peer::Message question = questions()[0];
  EXPECT_EQ(question.first_line(), "POST /v1/data/app HTTP/1.1");
  EXPECT_EQ(question.header("host"), "opa");
  EXPECT_EQ(question.header("authorization"), "Bearer t");
  for (const char* part :
       {R"("method":"GET","path":["pets","7"],"url_path":"/pets/7","query":"x=1","host":"a")",
        R"("headers":{"x-user":["ann"]})", R"("source":"127.0.0.1:)"})
    EXPECT_TRUE(says(question.body, part)) << part << " in " << question.body;
  EXPECT_EQ(proxy.counter("wasmcustom.policy_auth.allowed"), 1u);
}

TEST_F(PolicyAuth, DeniesAsThePolicySays) {
  TestProxy proxy(yaml(R"(, "denied_body": "no\n", "except": ["/health"])"));
  Peer client = proxy.connect();
  set_answer(R"({"result": false})");
  Peer::Message answer = ask(client);
  EXPECT_EQ(answer.status(), 403);
  EXPECT_EQ(answer.body, "no\n");
  set_answer(R"({"result": {"allowed": false, "http_status": 302, )"
             R"("response_headers": {"location": "/login"}}})");
  answer = ask(client);
  EXPECT_EQ(answer.status(), 302);
  EXPECT_EQ(answer.header("location"), "/login");
  set_answer("{}");
  EXPECT_EQ(ask(client).status(), 403);
  EXPECT_EQ(origin_.requests(), 0u);
  EXPECT_EQ(ask(client, "", "/health/live").status(), 200);
  EXPECT_EQ(ask(client, "", "/health/%2e%2e/secret").status(), 403);
  EXPECT_EQ(proxy.counter("wasmcustom.policy_auth.denied"), 4u);
  // A request with a body waits whole.
  set_answer(R"({"result": true})");
  client.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\nhi");
  EXPECT_EQ(client.read_message().status(), 200);
}

struct Failure {
  const char* name;
  const char* answer;
  int status;
};
void PrintTo(const Failure& each, std::ostream* out) { *out << each.name; }
class PolicyFails : public PolicyAuth, public ::testing::WithParamInterface<Failure> {};

TEST_P(PolicyFails, ClosedByDefaultAndOpenWhereItIsConfigured) {
  const std::string slow = GetParam().answer[0] == '\0' ? R"(, "timeout_ms": 50)" : "";
  for (const bool open : {false, true}) {
    TestProxy proxy(yaml(slow + (open ? R"(, "fail_open": true, "own_headers": ["x-role"])"
                                      : R"(, "fail_status": 504)")));
    set_answer(GetParam().answer, GetParam().status);
    Peer client = proxy.connect();
    const Peer::Message answer = ask(client, "x-role: forged\r\n");
    EXPECT_EQ(answer.status(), open ? 200 : 504) << answer.head;
    EXPECT_FALSE(open && says(answer.body, "forged")) << answer.body;
    EXPECT_EQ(proxy.counter("wasmcustom.policy_auth.failed"), 1u);
    EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
  }
}
INSTANTIATE_TEST_SUITE_P(Ways, PolicyFails,
                         ::testing::Values(Failure{"error", R"({"result": true})", 500},
                                           Failure{"noJson", "<html>", 200},
                                           Failure{"noDecision", R"({"result": "yes"})", 200},
                                           Failure{"timeOut", "", 200}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(PolicyAuth, AServiceThatCannotBeReachedIsAFailure) {
  TestProxy proxy(yaml("", 1));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 503);
  EXPECT_EQ(proxy.counter("wasmcustom.policy_auth.failed"), 1u);
}

TEST_F(PolicyAuth, AnUnknownClusterIsAFailureOfEachRequest) {
  TestProxy proxy(yaml_with(
      Plugin{.guest = filter_path("policy_auth"), .configuration = R"({"cluster": "nowhere"})"},
      origin_.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 503);
  EXPECT_EQ(proxy.counter("wasmcustom.policy_auth.failed"), 1u);
}

TEST_F(PolicyAuth, AClientThatGoesWhileItWaitsDoesNoHarm) {
  Origin policy;
  TestProxy proxy(yaml("", policy.port()));
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer service = policy.accept();
  service.read_message();
  client.close();
  proxy.wait_for("the stream has gone",
                 [&proxy] { return says(proxy.admin("/wasm"), "\"streams\":0"); });
  service.send(response(R"({"result": true})"));
  proxy.wait_for("the answer has come",
                 [&proxy] { return proxy.counter("cluster.policy.upstream_rq_completed") == 1; });
  Peer next = proxy.connect();
  next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(service.read_message().first_line(), "POST /v1/data/http/allow HTTP/1.1");
  service.send(response(R"({"result": true})"));
  EXPECT_EQ(next.read_message().status(), 200);
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

}  // namespace
}  // namespace weir::test
