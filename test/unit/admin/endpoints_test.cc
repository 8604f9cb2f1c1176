#include "admin/endpoints.h"

#include <gtest/gtest.h>

#include <optional>
#include <tuple>
#include <vector>

#include "base/log.h"
#include "unit/admin/fake_backend.h"

namespace weir::admin {
namespace {

// ---- parse_target -----------------------------------------------------------------------------------

using Query = std::map<std::string, std::string, std::less<>>;

TEST(ParseTarget, SplitsPathAndQuery) {
  const Request plain = parse_target("GET", "/stats");
  EXPECT_EQ(plain.method, "GET");
  EXPECT_EQ(plain.path, "/stats");
  EXPECT_TRUE(plain.query.empty());
  const Request request = parse_target("POST", "/stats?format=json&usedonly&filter=a=b?c");
  EXPECT_EQ(request.path, "/stats");
  EXPECT_EQ(request.query, (Query{{"format", "json"}, {"usedonly", ""}, {"filter", "a=b?c"}}));
}

TEST(ParseTarget, DecodesTheQueryOnly) {
  const Request request = parse_target("GET", "/a%20b?x%3Dy=%2Fa%26b&c=%zz&d=1+2");
  EXPECT_EQ(request.path, "/a%20b");
  EXPECT_EQ(request.query, (Query{{"x=y", "/a&b"}, {"c", "%zz"}, {"d", "1+2"}}));
}

TEST(ParseTarget, EmptyPartsAreNothing) {
  EXPECT_TRUE(parse_target("GET", "/?").query.empty());
  EXPECT_TRUE(parse_target("GET", "/?&&").query.empty());
  EXPECT_EQ(parse_target("GET", "/?=v&a=&b=1&b=2").query,
            (Query{{"", "v"}, {"a", ""}, {"b", "2"}}));
  EXPECT_EQ(parse_target("GET", "").path, "");
}

// ---- methods ----------------------------------------------------------------------------------------

class EndpointsTest : public ::testing::Test {
 protected:
  Response ask(std::string_view method, std::string_view target) {
    std::optional<Response> answer;
    handle(backend_, parse_target(method, target), [&answer](Response response) {
      EXPECT_FALSE(answer) << "one answer only";
      answer = std::move(response);
    });
    return answer.value_or(Response{0, "no answer"});
  }
  FakeBackend backend_;
};

constexpr std::string_view kReading[] = {"/",       "/certs",      "/clusters", "/config_dump",
                                         "/help",   "/listeners",  "/logging",  "/memory",
                                         "/reload", "/ready",      "/stats",    "/stats/prometheus",
                                         "/wasm",   "/server_info"};
constexpr std::string_view kChanging[] = {"/drain_listeners", "/healthcheck/fail",
                                          "/healthcheck/ok",  "/quitquitquit",
                                          "/reopen_logs",     "/reset_counters"};

TEST_F(EndpointsTest, WhatReadsIsAskedByGetOrHead) {
  for (const std::string_view path : kReading) {
    EXPECT_EQ(ask("GET", path).status, 200) << path;
    EXPECT_EQ(ask("HEAD", path).status, 200) << path;
  }
  EXPECT_EQ(backend_.changes, "") << "reading changes nothing";
  EXPECT_EQ(ask("POST", "/stats").status, 405);
  EXPECT_EQ(ask("POST", "/stats").allow, "GET, HEAD");
}

TEST_F(EndpointsTest, WhatChangesIsAskedByPost) {
  for (const std::string_view path : kChanging) {
    for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", ""}) {
      const Response refused = ask(method, path);
      EXPECT_EQ(refused.status, 405) << method << path;
      EXPECT_EQ(refused.allow, "POST") << method << path;
    }
  }
  EXPECT_EQ(backend_.changes, "");
  for (const std::string_view path : kChanging) EXPECT_EQ(ask("POST", path).status, 200) << path;
  EXPECT_EQ(backend_.changes, "drain;health failed;health ok;quit;logs;");
}

TEST_F(EndpointsTest, OnePathMayDoBoth) {
  EXPECT_EQ(ask("GET", "/reload").body, "reload json");
  EXPECT_EQ(backend_.changes, "");
  EXPECT_EQ(ask("POST", "/reload").status, 200);
  EXPECT_EQ(backend_.changes, "reload;");
  backend_.takes_edits = false;
  EXPECT_EQ(ask("POST", "/reload").status, 409);
  EXPECT_EQ(ask("PUT", "/reload").status, 405);
  EXPECT_EQ(ask("PUT", "/reload").allow, "GET, HEAD, POST");
}

TEST_F(EndpointsTest, UnknownPathsGetTheList) {
  for (const char* path : {"/nothing", "", "/Stats", "/stats/", "//", "stats"}) {
    const Response answer = ask("GET", path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_NE(answer.body.find("/stats/prometheus"), std::string::npos) << path;
  }
  EXPECT_EQ(ask("POST", "/nothing").status, 404);
}

TEST_F(EndpointsTest, HelpAndIndexNameEveryPath) {
  const std::string help = ask("GET", "/help").body;
  const std::string index = ask("GET", "/").body;
  std::vector<std::string_view> paths(std::begin(kReading), std::end(kReading));
  paths.insert(paths.end(), std::begin(kChanging), std::end(kChanging));
  for (const std::string_view path : paths) {
    EXPECT_NE(help.find("  " + std::string(path)), std::string::npos) << path;
    EXPECT_NE(index.find("\"" + std::string(path) + "\""), std::string::npos) << path;
  }
  EXPECT_NE(help.find("/quitquitquit (POST): "), std::string::npos);
}

// ---- answers ----------------------------------------------------------------------------------------

TEST_F(EndpointsTest, ReadyIsTheState) {
  using State = Backend::State;
  for (const auto& [state, status, text] :
       {std::tuple{State::kLive, 200, "LIVE\n"}, std::tuple{State::kDraining, 503, "DRAINING\n"},
        std::tuple{State::kInitializing, 503, "INITIALIZING\n"},
        std::tuple{State::kPreInitializing, 503, "PRE_INITIALIZING\n"}}) {
    backend_.now = state;
    EXPECT_EQ(ask("GET", "/ready").status, status);
    EXPECT_EQ(ask("GET", "/ready").body, text);
  }
}

TEST_F(EndpointsTest, StatsHaveThreeFormats) {
  backend_.store.counter("some.stat").inc();
  EXPECT_EQ(ask("GET", "/stats?filter=some").body, "some.stat: 1\n");
  EXPECT_EQ(ask("GET", "/stats?filter=some&format=text").body, "some.stat: 1\n");
  EXPECT_EQ(ask("GET", "/stats?format=json").content_type, "application/json");
  EXPECT_EQ(ask("GET", "/stats?format=prometheus").body, ask("GET", "/stats/prometheus").body);
  EXPECT_EQ(ask("GET", "/stats/prometheus?format=json").content_type, "text/plain; version=0.0.4");
  EXPECT_EQ(ask("GET", "/stats?format=xml").status, 400);
  EXPECT_EQ(ask("GET", "/stats?filter=(").status, 400);
  EXPECT_EQ(ask("POST", "/reset_counters").status, 200);
  EXPECT_EQ(ask("GET", "/stats?filter=some").body, "some.stat: 0\n");
}

TEST_F(EndpointsTest, LevelsAreChangedAllOrNone) {
  const base::Level before = base::log_level(base::Component::kHttp);
  const base::Level other = base::log_level(base::Component::kWasm);
  for (const char* target : {"/logging?http=loud", "/logging?nothing=info",
                             "/logging?level=", "/logging?http=trace&wasm=loud"})
    EXPECT_EQ(ask("POST", target).status, 400) << target;
  EXPECT_EQ(base::log_level(base::Component::kHttp), before);
  EXPECT_EQ(ask("POST", "/logging?http=trace&wasm=off").status, 200);
  EXPECT_EQ(base::log_level(base::Component::kHttp), base::Level::kTrace);
  EXPECT_EQ(base::log_level(base::Component::kWasm), base::Level::kOff);
  base::set_log_level(base::Component::kHttp, before);
  base::set_log_level(base::Component::kWasm, other);
  const Response by_get = ask("GET", "/logging?http=trace");
  EXPECT_EQ(by_get.status, 405) << "GET changes nothing, even where it looks as if";
  EXPECT_EQ(by_get.allow, "POST");
  EXPECT_EQ(base::log_level(base::Component::kHttp), before);
}

}  // namespace
}  // namespace weir::admin
