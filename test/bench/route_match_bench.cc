// Cost of matching among 10,000 routes of one virtual host, among 10,000 virtual hosts, and by headers.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "config/text_view.h"
#include "router/route_table.h"

namespace {

using weir::RequestHead;
using weir::router::RouteMatchOptions;
using weir::router::RouteTable;
using weir::router::RouteTableOptions;

weir::router::RouteOptions route(RouteMatchOptions::Path kind, std::string path) {
  weir::router::RouteOptions options;
  options.match.kind = kind;
  options.match.path = std::move(path);
  options.route.emplace();
  options.route->cluster = "c";
  return options;
}

std::string path_of(int64_t number) {
  return "/service-" + std::to_string(number % 100) + "/resource/" + std::to_string(number);
}

RequestHead head_for(const std::string& authority, const std::string& path) {
  RequestHead head;
  head.set_method("GET");
  head.set_authority(authority);
  head.set_path(path);
  head.set_scheme("http");
  return head;
}

std::vector<RequestHead> heads(int64_t routes, const char* tail) {
  std::vector<RequestHead> all;
  for (int64_t i = 0; i < 256; ++i)
    all.push_back(head_for("example.com", path_of(i * 7919 % routes) + tail));
  return all;
}

void run(benchmark::State& state, const RouteTable& table,
         const std::vector<RequestHead>& requests) {
  size_t at = 0;
  for (auto _ : state) {
    const auto* found = table.match(requests[at++ % requests.size()], 0);
    if (found == nullptr) state.SkipWithError("no route");
    benchmark::DoNotOptimize(found);
  }
}

void match(benchmark::State& state, RouteMatchOptions::Path kind, const char* tail) {
  RouteTableOptions options;
  auto& host = options.virtual_hosts.emplace_back();
  host.domains = {"*"};
  for (int64_t i = 0; i < state.range(0); ++i) host.routes.push_back(route(kind, path_of(i)));
  const auto table = RouteTable::build(std::move(options));
  run(state, **table, heads(state.range(0), tail));
}

void exact(benchmark::State& state) { match(state, RouteMatchOptions::Path::kExact, "?query=1"); }
void prefix(benchmark::State& state) {
  match(state, RouteMatchOptions::Path::kPrefix, "/below/it");
}

void hosts(benchmark::State& state) {
  RouteTableOptions options;
  for (int64_t i = 0; i < state.range(0); ++i) {
    auto& host = options.virtual_hosts.emplace_back();
    host.domains = {"host-" + std::to_string(i) + ".example.com"};
    host.routes.push_back(route(RouteMatchOptions::Path::kPrefix, "/"));
  }
  const auto table = RouteTable::build(std::move(options));
  std::vector<RequestHead> requests;
  for (int64_t i = 0; i < 256; ++i)
    requests.push_back(head_for(
        "host-" + std::to_string(i * 7919 % state.range(0)) + ".example.com", "/index.html"));
  run(state, **table, requests);
}

/// Eight routes with one path: the last of them is found, after 16 header matchers.
void headers(benchmark::State& state) {
  RouteTableOptions options;
  auto& host = options.virtual_hosts.emplace_back();
  host.domains = {"*"};
  for (int i = 0; i < 8; ++i) {
    std::vector<weir::config::Diagnostic> wrong;
    const auto view = weir::config::view_of(
        "headers: [{name: \":method\", exact_match: GET}, "
        "{name: x-version, prefix_match: v" +
            std::to_string(i) + "}]",
        wrong);
    host.routes.push_back(route(RouteMatchOptions::Path::kPrefix, "/"));
    host.routes.back().match.headers = weir::HeaderMatchers::read(*view, "headers");
  }
  const auto table = RouteTable::build(std::move(options));
  std::vector<RequestHead> requests = heads(100, "");
  for (RequestHead& head : requests) {
    for (const auto& [name, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"user-agent", "curl/8"},
                                                                    {"accept", "*/*"},
                                                                    {"x-request-id", "12345"},
                                                                    {"x-trace", "abc"},
                                                                    {"x-version", "v7.1"}})
      head.headers.add(name, value);
  }
  run(state, **table, requests);
}

BENCHMARK(headers);
BENCHMARK(exact)->Arg(1)->Arg(100)->Arg(10000);
BENCHMARK(prefix)->Arg(1)->Arg(100)->Arg(10000);
BENCHMARK(hosts)->Arg(1)->Arg(100)->Arg(10000);

}  // namespace
