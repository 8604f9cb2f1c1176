#include "router/rewrite.h"

#include <gtest/gtest.h>

#include "router/redirect.h"
#include "router/timeouts.h"
#include "unit/router/table_builder.h"

namespace weir::test {
namespace {

using router::EnvoyHeaders;
using router::ExpectedTimeout;
using std::chrono::milliseconds;

RouteMatchOptions matcher(RouteMatchOptions::Path kind, const char* path) {
  RouteMatchOptions options;
  options.kind = kind;
  options.path = path;
  return options;
}

TEST(RewrittenPath, ReplacesWhatTheMatcherMatched) {
  using Path = RouteMatchOptions::Path;
  struct Case {
    Path kind;
    const char *matched, *rewrite, *path, *expected;
  };
  const Case cases[] = {
      {Path::kPrefix, "/api", "/v1", "/api/x?q=/api", "/v1/x?q=/api"},
      {Path::kPrefix, "/api/", "/", "/api/x", "/x"},
      {Path::kPrefix, "/", "/base/", "/", "/base/"},
      {Path::kPrefix, "/a", "/b", "/a", "/b"},
      {Path::kExact, "/a", "/other", "/a?x=1", "/other?x=1"},
      {Path::kRegex, "/a.*", "/whole", "/abc?x", "/whole?x"},
      {Path::kSeparatedPrefix, "/api", "/v2", "/api/x", "/v2/x"},
      {Path::kSeparatedPrefix, "/api", "/v2", "/api", "/v2"},
      {Path::kPrefix, "/api", "", "/api/x", "/api/x"},
  };
  for (const Case& one : cases)
    EXPECT_EQ(
        router::rewritten_path(matcher(one.kind, one.matched), one.rewrite, std::nullopt, one.path),
        one.expected);
}

TEST(RewrittenPath, RegexActsOnThePathAndLeavesTheQuery) {
  const auto rewrite = [](const char* pattern, const char* substitution, const char* path) {
    std::optional<router::RegexRewrite> regex(
        router::RegexRewrite{*base::Regex::compile(pattern), substitution});
    return router::rewritten_path({}, "", regex, path);
  };
  EXPECT_EQ(rewrite("^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1/api"),
            "/v1/api/instance/foo");
  EXPECT_EQ(rewrite("one", "two", "/xxx/one/yyy/one/zzz?one=1"), "/xxx/two/yyy/two/zzz?one=1");
  EXPECT_EQ(rewrite("nothing", "x", "/a?b"), "/a?b");
}

/// Rewrites a request to a.com/api/x as a route with this action does.
RequestHead rewritten(const std::function<void(router::RouteActionOptions&)>& change,
                      EnvoyHeaders envoy_headers = EnvoyHeaders::kAdd,
                      const std::function<void(RequestHead&)>& prepare = {}) {
  auto route = prefix("c", "/api");
  change(*route.route);
  const auto table = build(table_of(host("h", {"*"}, std::move(route))));
  RequestHead head = request("a.com", "/api/x");
  if (prepare) prepare(head);
  router::rewrite_request(*table->match(head, 0), head, envoy_headers);
  return head;
}

TEST(RewriteRequest, KeepsTheOriginalPath) {
  const RequestHead head = rewritten([](auto& action) { action.prefix_rewrite = "/v1"; });
  EXPECT_EQ(head.path(), "/v1/x");
  EXPECT_EQ(head.headers.get("x-envoy-original-path"), "/api/x");
  const RequestHead quiet =
      rewritten([](auto& action) { action.prefix_rewrite = "/v1"; }, EnvoyHeaders::kSuppress);
  EXPECT_EQ(quiet.path(), "/v1/x");
  EXPECT_TRUE(quiet.headers.empty());
}

TEST(RewriteRequest, HostLiteralAndForwardedHost) {
  const RequestHead head = rewritten([](auto& action) {
    action.host_rewrite_literal = "inside";
    action.append_x_forwarded_host = true;
  });
  EXPECT_EQ(head.authority(), "inside");
  EXPECT_EQ(head.headers.get("x-forwarded-host"), "a.com");
  EXPECT_EQ(head.headers.get("x-envoy-original-host"), "a.com");
}

TEST(RewriteRequest, ForwardedHostIsAppendedButNotTwice) {
  const auto action = [](auto& options) {
    options.host_rewrite_literal = "inside";
    options.append_x_forwarded_host = true;
  };
  const auto before = [](const char* value) {
    return [value](RequestHead& head) { head.headers.add("x-forwarded-host", value); };
  };
  EXPECT_EQ(rewritten(action, EnvoyHeaders::kAdd, before("first")).headers.get("x-forwarded-host"),
            "first,a.com");
  EXPECT_EQ(
      rewritten(action, EnvoyHeaders::kAdd, before("first,a.com")).headers.get("x-forwarded-host"),
      "first,a.com");
}

TEST(RewriteRequest, HostFromAHeader) {
  const auto action = [](auto& options) { options.host_rewrite_header = "x-host"; };
  EXPECT_EQ(rewritten(action).authority(), "a.com");
  const RequestHead head = rewritten(action, EnvoyHeaders::kAdd, [](RequestHead& before) {
    before.headers.add("x-host", "b.com");
  });
  EXPECT_EQ(head.authority(), "b.com");
}

TEST(Redirect, EveryField) {
  struct Case {
    const char* name;
    std::function<void(router::RedirectOptions&)> change;
    const char *authority, *path, *scheme, *expected;
  };
  const Case cases[] = {
      {"https", [](auto& r) { r.https_redirect = true; }, "a.com", "/p?q", "http",
       "https://a.com/p?q"},
      {"default port goes", [](auto& r) { r.https_redirect = true; }, "a.com:80", "/p", "http",
       "https://a.com/p"},
      {"other port stays", [](auto& r) { r.https_redirect = true; }, "a.com:8080", "/p", "http",
       "https://a.com:8080/p"},
      {"ipv6", [](auto& r) { r.https_redirect = true; }, "[::1]:80", "/p", "http",
       "https://[::1]/p"},
      {"ipv6 without port", [](auto& r) { r.https_redirect = true; }, "[::1]", "/p", "http",
       "https://[::1]/p"},
      {"scheme", [](auto& r) { r.scheme_redirect = "http"; }, "a.com:443", "/p", "https",
       "http://a.com/p"},
      {"host", [](auto& r) { r.host_redirect = "b.com"; }, "a.com:81", "/p", "http",
       "http://b.com/p"},
      {"port", [](auto& r) { r.port_redirect = 8443; }, "a.com:81", "/p", "http",
       "http://a.com:8443/p"},
      {"host and port", [](auto& r) { r.host_redirect = "b.com", r.port_redirect = 1; }, "a", "/",
       "http", "http://b.com:1/"},
      {"path", [](auto& r) { r.path_redirect = "/new"; }, "a.com", "/p?q=1", "http",
       "http://a.com/new?q=1"},
      {"path with query", [](auto& r) { r.path_redirect = "/new?x"; }, "a.com", "/p?q=1", "http",
       "http://a.com/new?x"},
      {"strip", [](auto& r) { r.strip_query = true; }, "a.com", "/p?q=1", "http", "http://a.com/p"},
      {"path and strip", [](auto& r) { r.path_redirect = "/new", r.strip_query = true; }, "a",
       "/p?q", "http", "http://a/new"},
      {"prefix", [](auto& r) { r.prefix_rewrite = "/v2"; }, "a.com", "/p/x?q", "http",
       "http://a.com/v2/x?q"},
      {"prefix and strip", [](auto& r) { r.prefix_rewrite = "/v2", r.strip_query = true; }, "a",
       "/p/x?q", "http", "http://a/v2/x"},
      {"regex",
       [](auto& r) {
         r.regex_rewrite = router::RegexRewrite{*base::Regex::compile("^/p/(.*)$"), "/q/\\1"};
       },
       "a.com", "/p/x?y", "http", "http://a.com/q/x?y"},
  };
  for (const Case& one : cases) {
    router::RedirectOptions redirect;
    one.change(redirect);
    EXPECT_EQ(router::redirect_location(redirect, matcher(RouteMatchOptions::Path::kPrefix, "/p"),
                                        request(one.authority, one.path, one.scheme)),
              one.expected)
        << one.name;
  }
}

milliseconds timeout_of(RequestHead& head, EnvoyHeaders envoy_headers = EnvoyHeaders::kAdd,
                        ExpectedTimeout expected = ExpectedTimeout::kIgnore) {
  router::RouteActionOptions action;
  action.timeout = milliseconds(15000);
  return router::request_timeout(action, head, envoy_headers, expected);
}

TEST(RequestTimeout, TheRoutesIsToldToTheUpstream) {
  RequestHead head = request("a", "/");
  EXPECT_EQ(timeout_of(head), milliseconds(15000));
  EXPECT_EQ(head.headers.get("x-envoy-expected-rq-timeout-ms"), "15000");
  RequestHead quiet = request("a", "/");
  timeout_of(quiet, EnvoyHeaders::kSuppress);
  EXPECT_TRUE(quiet.headers.empty());
}

TEST(RequestTimeout, TheRequestsOwnHeaderWinsAndIsRemoved) {
  RequestHead head = request("a", "/");
  head.headers.add("x-envoy-upstream-rq-timeout-ms", "250");
  head.headers.add("x-envoy-retry-on", "5xx");
  head.headers.add("x-envoy-other", "stays");
  EXPECT_EQ(timeout_of(head), milliseconds(250));
  EXPECT_EQ(head.headers.get("x-envoy-expected-rq-timeout-ms"), "250");
  EXPECT_EQ(head.headers.size(), 2U);
  EXPECT_TRUE(head.headers.get("x-envoy-other"));
}

TEST(RequestTimeout, NonsenseIsIgnoredAndZeroSwitchesOff) {
  RequestHead bad = request("a", "/");
  bad.headers.add("x-envoy-upstream-rq-timeout-ms", "soon");
  EXPECT_EQ(timeout_of(bad), milliseconds(15000));
  RequestHead zero = request("a", "/");
  zero.headers.add("x-envoy-upstream-rq-timeout-ms", "0");
  EXPECT_EQ(timeout_of(zero), milliseconds(0));
  EXPECT_TRUE(zero.headers.empty());
}

TEST(RequestTimeout, AnExpectedTimeoutIsRespectedIfAsked) {
  RequestHead head = request("a", "/");
  head.headers.add("x-envoy-expected-rq-timeout-ms", "99");
  EXPECT_EQ(timeout_of(head), milliseconds(15000));
  RequestHead respected = request("a", "/");
  respected.headers.add("x-envoy-expected-rq-timeout-ms", "99");
  EXPECT_EQ(timeout_of(respected, EnvoyHeaders::kAdd, ExpectedTimeout::kRespect), milliseconds(99));
}

}  // namespace
}  // namespace weir::test
