#include "router/route_table.h"

#include <algorithm>
#include <deque>
#include <set>

#include "base/strings.h"
#include "router/match.h"
#include "router/path_index.h"
#include "stream/local_reply.h"

namespace weir::router {
namespace {

/// The authority without ":port"; brackets of an IPv6 address stay.
std::string_view without_port(std::string_view authority) noexcept {
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.find(']', colon) != std::string_view::npos)
    return authority;
  return authority.substr(0, colon);
}

bool has_upper(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// What require_tls answers: the same address with https.
RouteOptions tls_redirect() {
  RouteOptions route;
  route.redirect.emplace();
  route.redirect->https_redirect = true;
  return route;
}

/// One random number decides two things; they take different halves of it, so that they are independent.
bool chosen(double fraction, uint64_t random) noexcept {
  return static_cast<double>(random >> 32) < fraction * 4294967296.0;
}

}  // namespace

struct RouteTable::VirtualHost {
  struct Choice {
    uint64_t up_to;  // cumulative weight
    const Route* route;
  };
  /// A route with what matching needs beside the path.
  struct Entry {
    const RouteOptions* options;
    const Route* route;  // null for a weighted route
    std::vector<Choice> choices;
  };

  explicit VirtualHost(const VirtualHostOptions& host) : options(host), index(host.routes) {}
  const Route* match(const RequestHead& head, uint64_t random) const;
  /// CONNECT has no path, and what has none matches no other route.
  int32_t find_connect(const RequestHead& head, uint64_t random) const;
  bool accepts(const Entry& entry, const RequestHead& head, std::string_view query,
               uint64_t random) const;

  const VirtualHostOptions& options;
  PathIndex index;
  std::vector<Entry> entries;
  std::deque<Route> routes;  // entries point into it
  RouteOptions tls_options;
  const Route* tls_route = nullptr;
};

bool RouteTable::VirtualHost::accepts(const Entry& entry, const RequestHead& head,
                                      std::string_view query, uint64_t random) const {
  const RouteMatchOptions& match = entry.options->match;
  if (!match.headers.matches(head)) return false;
  if (!match.query.empty() && !matches_all(match.query, query)) return false;
  if (match.grpc && !stream::is_grpc_request(head.headers)) return false;
  return !match.fraction || chosen(*match.fraction, random);
}

int32_t RouteTable::VirtualHost::find_connect(const RequestHead& head, uint64_t random) const {
  if (head.method() != "CONNECT") return -1;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].options->match.kind == RouteMatchOptions::Path::kConnect &&
        accepts(entries[i], head, {}, random))
      return static_cast<int32_t>(i);
  }
  return -1;
}

const Route* RouteTable::VirtualHost::match(const RequestHead& head, uint64_t random) const {
  if (tls_route != nullptr && head.scheme() != "https") return tls_route;
  const SplitPath split = split_path(head.path());
  const int32_t found =
      split.path.empty()
          ? find_connect(head, random)
          : index.find(split.path, [this, &head, &split, random](int32_t number) {
              return accepts(entries[static_cast<size_t>(number)], head, split.query, random);
            });
  if (found < 0) return nullptr;
  const Entry& entry = entries[static_cast<size_t>(found)];
  if (entry.route != nullptr) return entry.route;
  const uint64_t ticket = (random & 0xffffffffULL) % entry.choices.back().up_to;
  const auto choice = std::find_if(entry.choices.begin(), entry.choices.end(),
                                   [ticket](const Choice& one) { return ticket < one.up_to; });
  return choice->route;
}

RouteTable::RouteTable(RouteTableOptions options) : options_(std::move(options)) {}
RouteTable::~RouteTable() = default;

Result<std::shared_ptr<const RouteTable>> RouteTable::build(RouteTableOptions options) {
  std::unique_ptr<RouteTable> table(new RouteTable(std::move(options)));
  WEIR_CHECKED(table->compile());
  return std::shared_ptr<const RouteTable>(std::move(table));
}

Result<void> RouteTable::compile() {
  for (uint32_t i = 0; i < options_.virtual_hosts.size(); ++i) {
    WEIR_CHECKED(compile_host(options_.virtual_hosts[i], i));
  }
  std::set<std::string_view> names;
  for (const VirtualHostOptions& host : options_.virtual_hosts) {
    for (const RouteOptions& route : host.routes) {
      if (!route.route) continue;
      if (!route.route->cluster.empty()) names.insert(route.route->cluster);
      for (const WeightedCluster& weighted : route.route->weighted) names.insert(weighted.name);
    }
  }
  clusters_.assign(names.begin(), names.end());
  return {};
}

Result<void> RouteTable::compile_host(const VirtualHostOptions& options, uint32_t number) {
  for (const std::string& domain : options.domains) {
    WEIR_CHECKED(domains_.add(domain, number));
  }
  auto host = std::make_unique<VirtualHost>(options);
  if (options.require_tls != VirtualHostOptions::RequireTls::kNone) {
    host->tls_options = tls_redirect();
    host->tls_route = &host->routes.emplace_back(options_, options, host->tls_options, nullptr);
  }
  for (const RouteOptions& route : options.routes) {
    VirtualHost::Entry entry{&route, nullptr, {}};
    if (route.route && !route.route->weighted.empty()) {
      uint64_t total = 0;
      for (const WeightedCluster& weighted : route.route->weighted) {
        if (weighted.weight == 0) continue;
        total += weighted.weight;
        entry.choices.push_back(
            {total, &host->routes.emplace_back(options_, options, route, &weighted)});
      }
      if (total == 0 || total > UINT32_MAX)
        return fail(
            Code::kConfig, Side::kLocal,
            "weights of weighted_clusters must sum up to 1 .. 4294967295 in virtual host \"" +
                options.name + '"');
    } else {
      entry.route = &host->routes.emplace_back(options_, options, route, nullptr);
    }
    host->entries.push_back(std::move(entry));
  }
  hosts_.push_back(std::move(host));
  return {};
}

const RouteTable::VirtualHost* RouteTable::find_host(std::string_view authority) const {
  if (options_.ignore_port_in_host_matching) authority = without_port(authority);
  const int32_t found =
      has_upper(authority) ? domains_.find(base::lower(authority)) : domains_.find(authority);
  return found < 0 ? nullptr : hosts_[static_cast<size_t>(found)].get();
}

const Route* RouteTable::match(const RequestHead& head, uint64_t random) const {
  const VirtualHost* host = find_host(head.authority());
  return host == nullptr ? nullptr : host->match(head, random);
}

}  // namespace weir::router
