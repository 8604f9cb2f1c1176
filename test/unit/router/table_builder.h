// Route tables for tests in few words.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/route_table.h"

namespace weir::test {

using router::RouteMatchOptions;

inline router::RouteOptions route_to(std::string cluster, RouteMatchOptions::Path kind,
                                     std::string path) {
  router::RouteOptions route;
  route.name = cluster;
  route.match.kind = kind;
  route.match.path = path;
  if (kind == RouteMatchOptions::Path::kRegex) route.match.regex = *base::Regex::compile(path);
  route.route.emplace();
  route.route->cluster = std::move(cluster);
  return route;
}
inline router::RouteOptions prefix(std::string cluster, std::string path) {
  return route_to(std::move(cluster), RouteMatchOptions::Path::kPrefix, std::move(path));
}
inline router::RouteOptions exact(std::string cluster, std::string path) {
  return route_to(std::move(cluster), RouteMatchOptions::Path::kExact, std::move(path));
}
inline router::RouteOptions regex(std::string cluster, std::string pattern) {
  return route_to(std::move(cluster), RouteMatchOptions::Path::kRegex, std::move(pattern));
}
inline router::RouteOptions separated(std::string cluster, std::string path) {
  return route_to(std::move(cluster), RouteMatchOptions::Path::kSeparatedPrefix, std::move(path));
}

template <typename... Routes>
router::VirtualHostOptions host(std::string name, std::vector<std::string> domains,
                                Routes... routes) {
  router::VirtualHostOptions options;
  options.name = std::move(name);
  options.domains = std::move(domains);
  (options.routes.push_back(std::move(routes)), ...);
  return options;
}

template <typename... Hosts>
router::RouteTableOptions table_of(Hosts... hosts) {
  router::RouteTableOptions options;
  (options.virtual_hosts.push_back(std::move(hosts)), ...);
  return options;
}

inline std::shared_ptr<const router::RouteTable> build(router::RouteTableOptions options) {
  auto table = router::RouteTable::build(std::move(options));
  if (!table) {
    ADD_FAILURE() << table.error().detail;
    return nullptr;
  }
  return *table;
}

inline RequestHead request(std::string_view authority, std::string_view path,
                           std::string_view scheme = "http", std::string_view method = "GET") {
  RequestHead head;
  head.set_method(method);
  head.set_path(path);
  head.set_authority(authority);
  head.set_scheme(scheme);
  return head;
}

/// The cluster of the route, "-" for no route.
inline std::string cluster_of(const router::RouteTable& table, const RequestHead& head,
                              uint64_t random = 0) {
  const router::Route* route = table.match(head, random);
  return route == nullptr ? "-" : route->cluster();
}
inline std::string cluster_of(const router::RouteTable& table, std::string_view authority,
                              std::string_view path, uint64_t random = 0) {
  return cluster_of(table, request(authority, path), random);
}

}  // namespace weir::test
