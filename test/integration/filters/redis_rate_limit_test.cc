// filters/redis_rate_limit against a real redis-server.
#include <gtest/gtest.h>

#include "integration/filters/redis_dialogue.h"

namespace weir::test {
namespace {

class RedisRateLimit : public ::testing::Test {
 protected:
  void SetUp() override {
    NEEDS_FILTER("redis_rate_limit");
    NEEDS_REDIS();
  }
  static std::string yaml(uint16_t redis_port, const std::string& options) {
    Yaml yaml;
    yaml.routes = kDirect;
    yaml.filters = filter(Plugin{
        .guest = filter_path("redis_rate_limit"), .configuration = options, .name = "limit"});
    yaml.more_clusters = cluster_yaml("redis", redis_port);
    return yaml.text();
  }
};

TEST_F(RedisRateLimit, CountsForAllWorkersTogether) {
  RedisServer redis;
  TestProxy proxy(
      yaml(redis.port(),
           R"({"redis":{"cluster":"redis"},"limit":3,"window_seconds":1000,"key_header":"x-key"})"),
      TestProxy::Options{.workers = 2});
  std::string remaining;
  for (int i = 0; i < 3; ++i) {
    Peer client = proxy.connect();  // to whichever worker
    const Peer::Message answer = ask(client, "x-key: ann\r\n");
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.header("x-ratelimit-limit"), "3");
    remaining += answer.header("x-ratelimit-remaining");
  }
  EXPECT_EQ(remaining, "210");
  Peer client = proxy.connect();
  Peer::Message answer = ask(client, "x-key: ann\r\n");
  EXPECT_EQ(answer.status(), 429);
  EXPECT_GT(std::stoi(answer.header("retry-after")), 900);
  EXPECT_EQ(answer.header("x-ratelimit-remaining"), "0");
  EXPECT_EQ(ask(client, "x-key: bob\r\n").status(), 200);       // has a count of his own
  EXPECT_EQ(ask(client).header("x-ratelimit-remaining"), "2");  // by address
  EXPECT_EQ(redis.ask({"EXISTS", "ratelimit:header:ann", "ratelimit:address:127.0.0.1"}), ":2");
  redis.ask({"DEL", "ratelimit:header:ann"});
  EXPECT_EQ(ask(client, "x-key: ann\r\n").status(), 200);
}

TEST_F(RedisRateLimit, WithPasswordAndDatabase) {
  RedisServer redis({"--requirepass", "secret"});
  TestProxy proxy(yaml(
      redis.port(),
      R"({"redis":{"cluster":"redis","password":"secret","database":2},"limit":5,"fail_open":false})"));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).header("x-ratelimit-remaining"), "4");
  EXPECT_EQ(ask(client).header("x-ratelimit-remaining"), "3");
  EXPECT_EQ(proxy.counter("cluster.redis.upstream_cx_total"), 1u);  // kept

  TestProxy wrong(
      yaml(redis.port(),
           R"({"redis":{"cluster":"redis","password":"guess"},"limit":5,"fail_open":false})"));
  Peer other = wrong.connect();
  EXPECT_EQ(ask(other).status(), 503);
  EXPECT_EQ(wrong.counter("cluster.redis.redis.refused_greetings"), 1u);
}

TEST_F(RedisRateLimit, OutlivesItsRedis) {
  RedisServer redis;
  TestProxy open(yaml(redis.port(), R"({"redis":{"cluster":"redis"},"limit":5})"));
  TestProxy closed(
      yaml(redis.port(),
           R"({"redis":{"cluster":"redis"},"limit":5,"fail_open":false,"fail_status":500})"));
  Peer opened = open.connect();
  Peer strict = closed.connect();
  EXPECT_EQ(ask(opened).header("x-ratelimit-remaining"), "4");
  EXPECT_EQ(ask(strict).header("x-ratelimit-remaining"), "3");
  redis.stop();
  EXPECT_EQ(ask(opened).status(), 200);
  EXPECT_EQ(ask(opened).header("x-ratelimit-remaining"), "");
  EXPECT_EQ(ask(strict).status(), 500);
  redis.start();
  EXPECT_EQ(ask(opened).header("x-ratelimit-remaining"), "4");
  EXPECT_EQ(ask(strict).header("x-ratelimit-remaining"), "3");
}

TEST_F(RedisRateLimit, BadOptionsRejectTheConfiguration) {
  for (const char* options : {R"({"limit":5})", R"({"redis":{"cluster":"redis"}})",
                              R"({"redis":{"cluster":"redis"},"limit":5,"fail_open":"maybe"})",
                              R"({"redis":{"cluster":"redis"},"limit":5,"fail_status":200})"})
    EXPECT_THROW(TestProxy proxy(yaml(9, options)), std::runtime_error) << options;
}

}  // namespace
}  // namespace weir::test
