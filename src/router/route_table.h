// RouteTable: all virtual hosts and routes of one route_config, compiled for matching.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/message.h>
#include <weir/result.h>

#include "router/domain_index.h"
#include "router/options.h"
#include "router/route.h"

namespace weir::router {

/// Immutable; part of a snapshot, shared by all workers; match() is called concurrently.
/// Domains are found by hash (exact, then the longest suffix, then the longest prefix, then "*"); within a virtual host the
/// first route in order that matches wins, found without trying each (see path_index.h).
class RouteTable {
 public:
  /// Error (kConfig): a domain stands twice, a weighted route's weights sum up to 0. Thread: main.
  static Result<std::shared_ptr<const RouteTable>> build(RouteTableOptions options);
  ~RouteTable();
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;

  /// The route of a request, or null. `random` decides runtime_fraction and the weighted cluster; the same number gives
  /// the same route. The head's scheme (from x-forwarded-proto) decides require_tls.
  const Route* match(const RequestHead& head, uint64_t random) const;

  /// Every cluster that an action names (not cluster_header), without duplicates: config/ checks them.
  const std::vector<std::string>& clusters() const noexcept { return clusters_; }
  const RouteTableOptions& options() const noexcept { return options_; }

 private:
  explicit RouteTable(RouteTableOptions options);
  struct VirtualHost;
  Result<void> compile();
  Result<void> compile_host(const VirtualHostOptions& options, uint32_t number);
  const VirtualHost* find_host(std::string_view authority) const;
  RouteTableOptions options_;
  std::vector<std::unique_ptr<VirtualHost>> hosts_;
  DomainIndex domains_;
  std::vector<std::string> clusters_;
};

}  // namespace weir::router
