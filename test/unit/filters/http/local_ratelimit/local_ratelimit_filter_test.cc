#include "filters/http/local_ratelimit/local_ratelimit_filter.h"

#include <thread>

#include "filters/http/local_ratelimit/token_bucket.h"
#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TokenBucketTest, StartsFullAndRefills) {
  TokenBucket bucket(2, 1, seconds(1), seconds(0));
  EXPECT_TRUE(bucket.take(seconds(0)));
  EXPECT_TRUE(bucket.take(seconds(0)));
  EXPECT_FALSE(bucket.take(milliseconds(999)));
  EXPECT_EQ(bucket.until_fill(milliseconds(999)), milliseconds(1));
  EXPECT_TRUE(bucket.take(milliseconds(1000)));
  EXPECT_FALSE(bucket.take(milliseconds(1500)));
  EXPECT_TRUE(bucket.take(seconds(100)));  // two fills at most are kept
  EXPECT_TRUE(bucket.take(seconds(100)));
  EXPECT_FALSE(bucket.take(seconds(100)));
}

TEST(TokenBucketTest, ThreadsNeverTakeMoreThanThereIs) {
  TokenBucket bucket(1000, 1, seconds(1), seconds(0));
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&bucket, &taken] {
      for (int n = 0; n < 1000; ++n)
        if (bucket.take(milliseconds(n))) ++taken;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken, 1000);
}

Object percent(int n) {
  return Object{{"default_value", Object{{"numerator", n}, {"denominator", "HUNDRED"}}}};
}

class LocalRateLimitTest : public FilterTest {
 protected:
  Object options(int tokens) {
    return {{"stat_prefix", "limiter"},
            {"token_bucket",
             Object{{"max_tokens", tokens}, {"tokens_per_fill", 1}, {"fill_interval", "1000s"}}},
            {"filter_enabled", percent(100)},
            {"filter_enforced", percent(100)}};
  }
  Flow request(const HttpFilterFactory& factory, FakeStream& stream) {
    filter = attach(factory, stream);
    return filter->on_request_head(stream.request, EndStream::kYes);
  }
  uint64_t count(std::string_view name) {
    return store.counter_value("limiter.http_local_rate_limit." + std::string(name));
  }
  std::unique_ptr<HttpFilter> filter;
};

TEST_F(LocalRateLimitTest, LimitsAndCounts) {
  Object all = options(1);
  all.insert_or_assign("response_headers_to_add",
                       List{Object{{"header", Object{{"key", "x-limited"}, {"value", "yes"}}}}});
  all.insert_or_assign("enable_x_ratelimit_headers", "DRAFT_VERSION_03");
  auto factory = make(&make_local_ratelimit, all);
  ASSERT_EQ(errors, std::vector<std::string>());
  FakeStream first, second;
  EXPECT_EQ(request(*factory, first), Flow::kContinue);
  filter->on_response_head(first.response, EndStream::kYes);
  EXPECT_EQ(first.response.headers.get("x-ratelimit-limit"), "1");
  EXPECT_EQ(first.response.headers.get("x-ratelimit-remaining"), "0");
  EXPECT_FALSE(first.response.headers.get("x-limited"));
  EXPECT_EQ(request(*factory, second), Flow::kReplied);
  ASSERT_EQ(second.replies.size(), 1u);
  EXPECT_EQ(second.replies[0].status, 429);
  EXPECT_EQ(second.replies[0].body, "local_rate_limited");
  EXPECT_TRUE(second.info.has_flag(ResponseFlag::kRateLimited));
  filter->on_response_head(second.response, EndStream::kNo);
  EXPECT_EQ(second.response.headers.get("x-limited"), "yes");
  EXPECT_EQ(count("enabled"), 2u);
  EXPECT_EQ(count("ok"), 1u);
  EXPECT_EQ(count("rate_limited"), 1u);
  EXPECT_EQ(count("enforced"), 1u);
}

TEST_F(LocalRateLimitTest, OffUnlessEnabledAndEnforced) {
  Object off = options(1);
  off.erase("filter_enabled");
  auto factory = make(&make_local_ratelimit, off);
  FakeStream stream;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(request(*factory, stream), Flow::kContinue);
  EXPECT_EQ(count("enabled"), 0u);

  Object shadow = options(1);
  shadow.erase("filter_enforced");
  shadow.insert_or_assign("request_headers_to_add_when_not_enforced",
                          List{Object{{"header", Object{{"key", "x-over"}, {"value", "1"}}}}});
  factory = make(&make_local_ratelimit, shadow);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(request(*factory, stream), Flow::kContinue);
  EXPECT_EQ(count("rate_limited"), 2u);
  EXPECT_EQ(count("enforced"), 0u);
  EXPECT_EQ(stream.request.headers.count("x-over"), 2u);
}

TEST_F(LocalRateLimitTest, RouteHasItsOwnBucket) {
  Object none = options(1);
  none.erase("token_bucket");
  auto factory = make(&make_local_ratelimit, none);
  FakeStream stream;
  EXPECT_EQ(request(*factory, stream), Flow::kContinue);
  EXPECT_EQ(request(*factory, stream), Flow::kContinue);
  Object own = options(1);
  own.insert_or_assign("status", Object{{"code", 503}});
  own.insert_or_assign("rate_limited_as_resource_exhausted", true);
  std::shared_ptr<const void> route;
  {
    FakeView view(own, errors);
    route = factory->make_route_config(view);
  }
  EXPECT_TRUE(errors.empty());
  stream.route = route.get();
  EXPECT_EQ(request(*factory, stream), Flow::kContinue);
  EXPECT_EQ(request(*factory, stream), Flow::kReplied);
  EXPECT_EQ(stream.replies.at(0).status, 503);
  EXPECT_EQ(stream.replies.at(0).grpc_status, 8);
}

TEST_F(LocalRateLimitTest, Mistakes) {
  Object fast = options(1);
  fast.insert_or_assign("token_bucket", Object{{"max_tokens", 1}, {"fill_interval", "0.01s"}});
  Object no_prefix = options(1);
  no_prefix.erase("stat_prefix");
  Object descriptors = options(1);
  descriptors.insert_or_assign("descriptors", List{});
  Object unknown = options(1);
  unknown.insert_or_assign("statprefix", "x");
  for (const Object& bad : {fast, no_prefix, descriptors, unknown}) {
    make(&make_local_ratelimit, bad);
    EXPECT_EQ(errors.size(), 1u);
  }
}

}  // namespace
}  // namespace weir::filters::test
