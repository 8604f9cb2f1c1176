#include "router/route_table.h"

#include <gtest/gtest.h>

#include <random>

#include "base/strings.h"
#include "unit/router/table_builder.h"
#include "unit/stream/matcher_builder.h"

namespace weir::test {
namespace {

TEST(RouteTable, ConnectMatchesItsOwnRoutesAlone) {
  const auto table = build(table_of(host("any", {"*"}, prefix("everything", ""),
                                         route_to("tunnel", RouteMatchOptions::Path::kConnect, ""),
                                         route_to("second", RouteMatchOptions::Path::kConnect, ""),
                                         prefix("late", "/"))));
  RequestHead head;
  head.set_method("CONNECT");
  head.set_authority("b:443");
  const router::Route* found = table->match(head, 0);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name(), "tunnel");
  EXPECT_EQ(cluster_of(*table, "b:443", "/"), "everything");
  head.set_method("GET");  // a filter may have taken the path away
  EXPECT_EQ(table->match(head, 0), nullptr);
}

TEST(RouteTable, DomainsInEnvoysOrderOfPreference) {
  const auto table = build(table_of(
      host("any", {"*"}, prefix("any", "/")), host("prefix", {"api.*"}, prefix("prefix", "/")),
      host("long prefix", {"api.example.*"}, prefix("long prefix", "/")),
      host("suffix", {"*.example.com"}, prefix("suffix", "/")),
      host("long suffix", {"*.api.example.com"}, prefix("long suffix", "/")),
      host("dash", {"*-x.example.com", "x-*"}, prefix("dash", "/")),
      host("exact", {"api.example.com", "api.example.com:8080"}, prefix("exact", "/"))));
  const std::pair<const char*, const char*> cases[] = {
      {"api.example.com", "exact"},
      {"api.example.com:8080", "exact"},
      {"API.Example.COM", "exact"},
      {"v1.api.example.com", "long suffix"},
      {"www.example.com", "suffix"},
      {"a-x.example.com", "dash"},
      {"x-1", "dash"},
      {"api.example.org", "long prefix"},
      {"api.org", "prefix"},
      {"other", "any"},
      {".example.com", "any"},
      {"api.", "any"},
      {"api.example.com:81", "long prefix"},
  };
  for (const auto& [authority, expected] : cases)
    EXPECT_EQ(cluster_of(*table, authority, "/"), expected) << authority;
}

TEST(RouteTable, WithoutAMatchingDomainThereIsNoRoute) {
  const auto table = build(table_of(host("a", {"a.com"}, prefix("a", "/"))));
  EXPECT_EQ(cluster_of(*table, "b.com", "/"), "-");
  EXPECT_EQ(cluster_of(*table, "a.com", "/x"), "a");
}

TEST(RouteTable, IgnoresThePortIfAsked) {
  auto options =
      table_of(host("a", {"a.com"}, prefix("a", "/")), host("six", {"[::1]"}, prefix("six", "/")));
  options.ignore_port_in_host_matching = true;
  const auto table = build(std::move(options));
  EXPECT_EQ(cluster_of(*table, "a.com:8443", "/"), "a");
  EXPECT_EQ(cluster_of(*table, "[::1]:8443", "/"), "six");
  EXPECT_EQ(cluster_of(*table, "[::1]", "/"), "six");
}

TEST(RouteTable, RefusesADomainTwiceAndStarsInside) {
  EXPECT_FALSE(router::RouteTable::build(table_of(host("a", {"x", "*"}), host("b", {"x"}))));
  EXPECT_FALSE(router::RouteTable::build(table_of(host("a", {"*"}), host("b", {"*"}))));
  EXPECT_FALSE(router::RouteTable::build(table_of(host("a", {"a.*.b"}))));
  EXPECT_FALSE(router::RouteTable::build(table_of(host("a", {"*a*"}))));
}

TEST(RouteTable, TheFirstMatchWinsWhateverItsKind) {
  const auto table = build(
      table_of(host("all", {"*"}, exact("exact", "/a"), prefix("prefix a", "/a"),
                    regex("regex", "/[ab].*"), prefix("b", "/b"), exact("never", "/a/exact"),
                    separated("separated", "/sep"), prefix("se", "/se"), prefix("rest", "/"))));
  const std::pair<const char*, const char*> cases[] = {
      {"/a", "exact"},
      {"/a?q=1", "exact"},
      {"/a#f", "exact"},
      {"/ab", "prefix a"},
      {"/a/exact", "prefix a"},
      {"/bcd", "regex"},
      {"/sep", "separated"},
      {"/sep/x", "separated"},
      {"/sepx", "se"},
      {"/", "rest"},
      {"/z", "rest"},
      {"/sep?x", "separated"},
      {"*", "-"},
  };
  for (const auto& [path, expected] : cases)
    EXPECT_EQ(cluster_of(*table, "x", path), expected) << path;
}

TEST(RouteTable, ARegexMatchesThePathWithoutQueryInFull) {
  const auto table = build(table_of(host("all", {"*"}, regex("r", "/v[0-9]+"))));
  EXPECT_EQ(cluster_of(*table, "x", "/v12?x=/"), "r");
  EXPECT_EQ(cluster_of(*table, "x", "/v12/x"), "-");
}

TEST(RouteTable, CaseInsensitiveRoutesStandBesideSensitiveOnes) {
  auto loose = prefix("loose", "/API");
  loose.match.case_sensitive = false;
  auto loose_separated = separated("loose separated", "/Sep");
  loose_separated.match.case_sensitive = false;
  const auto table = build(table_of(host("all", {"*"}, exact("strict", "/api/x"), std::move(loose),
                                         std::move(loose_separated), prefix("rest", "/"))));
  EXPECT_EQ(cluster_of(*table, "x", "/api/x"), "strict");
  EXPECT_EQ(cluster_of(*table, "x", "/Api/x"), "loose");
  EXPECT_EQ(cluster_of(*table, "x", "/sEP/1"), "loose separated");
  EXPECT_EQ(cluster_of(*table, "x", "/sEP1"), "rest");
}

TEST(RouteTable, ARouteWhoseHeadersDoNotFitIsPassedOver) {
  auto canary = prefix("canary", "/");
  canary.match.headers = header_matcher({{"name", "x-canary"}});
  auto posts = exact("posts", "/p");
  posts.match.headers = header_matcher({{"name", ":method"}, {"exact_match", "POST"}});
  auto query = exact("query", "/p");
  query.match.query.push_back({"debug", std::nullopt, true});
  const auto table = build(table_of(host("all", {"*"}, std::move(canary), std::move(posts),
                                         std::move(query), prefix("rest", "/"))));
  EXPECT_EQ(cluster_of(*table, "x", "/p"), "rest");
  EXPECT_EQ(cluster_of(*table, "x", "/p?a=1&debug"), "query");
  EXPECT_EQ(cluster_of(*table, request("x", "/p?debug=1", "http", "POST")), "posts");
  RequestHead head = request("x", "/p");
  head.headers.add("x-canary", "");
  EXPECT_EQ(cluster_of(*table, head), "canary");
}

TEST(RouteTable, FractionsAndWeightsDivideTheTraffic) {
  auto some = prefix("some", "/");
  some.match.fraction = 0.25;
  router::RouteOptions weighted;
  weighted.match.path = "/";
  weighted.route.emplace();
  weighted.route->weighted.resize(3);
  weighted.route->weighted[0].name = "a";
  weighted.route->weighted[0].weight = 1;
  weighted.route->weighted[1].name = "b";
  weighted.route->weighted[1].weight = 2;
  weighted.route->weighted[2].name = "off";
  const auto table = build(table_of(host("all", {"*"}, std::move(some), std::move(weighted))));
  EXPECT_EQ(table->clusters(), (std::vector<std::string>{"a", "b", "off", "some"}));
  std::mt19937_64 random(42);
  std::map<std::string, int> counts;
  for (int i = 0; i < 12000; ++i) ++counts[cluster_of(*table, "x", "/", random())];
  EXPECT_NEAR(counts["some"], 3000, 200);
  EXPECT_NEAR(counts["a"], 3000, 200);
  EXPECT_NEAR(counts["b"], 6000, 250);
  EXPECT_EQ(counts.count("off"), 0U);
}

TEST(RouteTable, WeightsMustNotBeAllZero) {
  router::RouteOptions weighted;
  weighted.match.path = "/";
  weighted.route.emplace();
  weighted.route->weighted.resize(2);
  EXPECT_FALSE(router::RouteTable::build(table_of(host("all", {"*"}, std::move(weighted)))));
}

TEST(RouteTable, RequireTlsRedirectsPlainRequests) {
  auto secure = host("secure", {"*"}, prefix("c", "/"));
  secure.require_tls = router::VirtualHostOptions::RequireTls::kAll;
  const auto table = build(table_of(std::move(secure)));
  const router::Route* plain = table->match(request("x", "/"), 0);
  ASSERT_NE(plain, nullptr);
  ASSERT_NE(plain->redirect(), nullptr);
  EXPECT_TRUE(plain->redirect()->https_redirect);
  EXPECT_EQ(table->match(request("x", "/", "https"), 0)->cluster(), "c");
}

TEST(RouteTable, FilterConfigurationOfTheMostSpecificLevel) {
  const auto value = [](int number) { return std::make_shared<const int>(number); };
  auto route = prefix("r", "/r");
  route.filters["a"].config = value(1);
  route.filters["off"].disabled = 1;
  auto virtual_host = host("h", {"*"}, std::move(route), prefix("other", "/"));
  virtual_host.filters["a"].config = value(2);
  virtual_host.filters["off"].disabled = 0;
  auto options = table_of(std::move(virtual_host));
  options.filters["b"].config = value(3);
  const auto table = build(std::move(options));
  const router::Route& special = *table->match(request("x", "/r"), 0);
  const router::Route& other = *table->match(request("x", "/"), 0);
  EXPECT_EQ(*static_cast<const int*>(special.filter_config("a")), 1);
  EXPECT_EQ(*static_cast<const int*>(other.filter_config("a")), 2);
  EXPECT_EQ(*static_cast<const int*>(special.filter_config("b")), 3);
  EXPECT_EQ(special.filter_config("off"), nullptr);
  EXPECT_EQ(special.filter_disabled("off"), 1);
  EXPECT_EQ(other.filter_disabled("off"), 0);
  EXPECT_EQ(special.filter_disabled("a"), 0);  // a configuration says that it is wanted
  EXPECT_EQ(special.filter_disabled("unknown"), -1);
}

TEST(RouteTable, TenThousandRoutesGiveTheSameAnswerAsTryingEach) {
  router::VirtualHostOptions all;
  all.name = "all";
  all.domains = {"*"};
  std::mt19937 random(7);
  const auto segment = [&random] {
    return std::string(1 + random() % 6, static_cast<char>('a' + random() % 3));
  };
  for (int i = 0; i < 10000; ++i) {
    std::string path = "/" + segment() + "/" + segment() + std::to_string(random() % 500);
    const std::string name = std::to_string(i);
    if (i % 1000 == 999) {
      all.routes.push_back(regex(name, path + "[0-9]*"));
      continue;
    }
    all.routes.push_back(i % 3 == 0   ? exact(name, path)
                         : i % 3 == 1 ? prefix(name, path)
                                      : separated(name, path));
    all.routes.back().match.case_sensitive = i % 7 != 0;
  }
  const auto& routes = all.routes;
  const auto linear = [&routes](std::string_view path) -> std::string {
    for (const auto& route : routes) {
      const auto& match = route.match;
      std::string key = match.path, text(path);
      if (!match.case_sensitive) key = base::lower(key), text = base::lower(text);
      bool fits = false;
      switch (match.kind) {
        case RouteMatchOptions::Path::kExact:
          fits = text == key;
          break;
        case RouteMatchOptions::Path::kPrefix:
          fits = text.starts_with(key);
          break;
        case RouteMatchOptions::Path::kRegex:
          fits = match.regex->full_match(path);
          break;
        case RouteMatchOptions::Path::kSeparatedPrefix:
          fits = text == key || text.starts_with(key + "/");
          break;
        case RouteMatchOptions::Path::kConnect:
          break;
      }
      if (fits) return route.name;
    }
    return "-";
  };
  std::vector<std::pair<std::string, std::string>> expected;
  for (int i = 0; i < 300; ++i) {
    std::string path = "/" + segment() + "/" + segment() + std::to_string(random() % 500);
    if (i % 2 == 0) path = routes[random() % routes.size()].match.path;
    if (i % 5 == 0) path += "/more";
    if (i % 11 == 0) path += "7";
    if (i % 13 == 0) path[1] = 'A';
    expected.emplace_back(path, linear(path));
  }
  auto options = table_of(std::move(all));
  const auto table = build(std::move(options));
  int found = 0;
  for (const auto& [path, name] : expected) {
    EXPECT_EQ(cluster_of(*table, "x", path), name) << path;
    found += name != "-";
  }
  EXPECT_GT(found, 100);
}

}  // namespace
}  // namespace weir::test
