#include "filters/http/health_check/health_check_filter.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

class HealthCheckTest : public FilterTest {
 protected:
  Object options(bool pass_through) {
    return {{"pass_through_mode", pass_through},
            {"headers",
             List{Object{{"name", ":path"}, {"string_match", Object{{"exact", "/healthz"}}}}}}};
  }
  std::unique_ptr<HttpFilter> probe(const HttpFilterFactory& factory, FakeStream& stream,
                                    Flow expected, const char* path = "/healthz") {
    stream.request.set_path(path);
    auto filter = attach(factory, stream);
    EXPECT_EQ(filter->on_request_head(stream.request, EndStream::kYes), expected);
    return filter;
  }
};

TEST_F(HealthCheckTest, AnswersProbesItself) {
  auto factory = make(&make_health_check, options(false));
  ASSERT_EQ(errors, std::vector<std::string>());
  FakeStream stream;
  probe(*factory, stream, Flow::kReplied);
  EXPECT_EQ(stream.replies.at(0).status, 200);
  EXPECT_TRUE(stream.info.health_check);
  FakeStream other;
  probe(*factory, other, Flow::kContinue, "/other");
  EXPECT_FALSE(other.info.health_check);
}

TEST_F(HealthCheckTest, FailsOnPurpose) {
  for (const bool pass_through : {false, true}) {
    auto factory = make(&make_health_check, options(pass_through));
    FakeStream stream;
    stream.unhealthy = true;
    probe(*factory, stream, Flow::kReplied);
    EXPECT_EQ(stream.replies.at(0).status, 503);
    EXPECT_TRUE(stream.info.has_flag(ResponseFlag::kFailedLocalHealthCheck));
    FakeStream other;
    other.unhealthy = true;
    auto filter = probe(*factory, other, Flow::kContinue, "/other");
    filter->on_response_head(other.response, EndStream::kYes);
    EXPECT_EQ(other.response.headers.get("x-envoy-immediate-health-check-fail"), "true");
  }
}

TEST_F(HealthCheckTest, WaitsForTheEndOfTheProbe) {
  auto factory = make(&make_health_check, options(false));
  FakeStream stream;
  stream.request.set_path("/healthz");
  auto filter = attach(*factory, stream);
  EXPECT_EQ(filter->on_request_head(stream.request, EndStream::kNo), Flow::kPauseHead);
  Buffer data("x");
  EXPECT_EQ(filter->on_request_body(data, EndStream::kNo), Flow::kDrop);
  EXPECT_TRUE(stream.replies.empty());
  EXPECT_EQ(filter->on_request_body(data, EndStream::kYes), Flow::kReplied);
  EXPECT_EQ(stream.replies.size(), 1u);
}

TEST_F(HealthCheckTest, PassesThroughAndRemembers) {
  Object all = options(true);
  all.insert_or_assign("cache_time", "1000s");
  auto factory = make(&make_health_check, all);
  FakeStream first, second;
  auto filter = probe(*factory, first, Flow::kContinue);
  first.response.status = 503;
  filter->on_response_head(first.response, EndStream::kYes);
  probe(*factory, second, Flow::kReplied);
  EXPECT_EQ(second.replies.at(0).status, 503);
}

TEST_F(HealthCheckTest, ClustersMustHaveTheirShareOfHealthyHosts) {
  Object all = options(false);
  all.insert_or_assign("cluster_min_healthy_percentages",
                       Object{{"a", Object{{"value", "50"}}}, {"b", Object{{"value", "0"}}}});
  auto factory = make(&make_health_check, all);
  ASSERT_EQ(errors, std::vector<std::string>());
  const auto status = [&](std::optional<ClusterHosts> a, ClusterHosts b) {
    FakeStream stream;
    if (a) stream.clusters.hosts["a"] = *a;
    stream.clusters.hosts["b"] = b;
    probe(*factory, stream, Flow::kReplied);
    EXPECT_EQ(stream.info.has_flag(ResponseFlag::kFailedLocalHealthCheck),
              stream.replies.at(0).status == 503);
    return stream.replies.at(0).status;
  };
  EXPECT_EQ(status(ClusterHosts{4, 2}, {1, 1}), 200);
  EXPECT_EQ(status(ClusterHosts{4, 1}, {1, 1}), 503);
  EXPECT_EQ(status(ClusterHosts{0, 0}, {1, 1}), 503);  // empty
  EXPECT_EQ(status(std::nullopt, {1, 1}), 503);        // unknown
  EXPECT_EQ(status(ClusterHosts{4, 4}, {0, 0}), 200);  // 0 % of nothing
}

TEST_F(HealthCheckTest, Mistakes) {
  make(&make_health_check, {});
  EXPECT_EQ(errors.size(), 1u);
  Object all = options(false);
  all.insert_or_assign("cache_time", "1s");
  make(&make_health_check, all);
  EXPECT_EQ(errors.size(), 1u);
  all = options(true);
  all.insert_or_assign("cluster_min_healthy_percentages", Object{{"a", Object{{"value", "5"}}}});
  make(&make_health_check, all);
  EXPECT_EQ(errors.size(), 1u);
  all = options(false);
  all.insert_or_assign("cluster_min_healthy_percentages", Object{{"a", Object{{"value", "101"}}}});
  make(&make_health_check, all);
  EXPECT_EQ(errors.size(), 1u);
}

}  // namespace
}  // namespace weir::filters::test
