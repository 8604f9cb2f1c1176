// Route: one matched route with everything that the router needs precomputed.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "router/options.h"
#include "stream/terminal.h"

namespace weir::router {

/// A route of a virtual host; of a weighted route, one choice of cluster. Immutable. Owner: its RouteTable. Refers to
/// the table's options.
class Route final : public stream::RouteRef {
 public:
  Route(const RouteTableOptions& table, const VirtualHostOptions& host, const RouteOptions& route,
        const WeightedCluster* weighted);

  const void* filter_config(std::string_view filter_name) const override;
  RouteConfigs filter_configs(std::string_view filter_name) const override;
  int filter_disabled(std::string_view filter_name) const override;
  void finalize_response(HeaderMap& headers, const stream::FormatContext& context) const override;
  std::optional<std::chrono::milliseconds> idle_timeout() const override;
  bool include_filter_times() const override {
    return route_.include_filter_times || host_.include_filter_times;
  }
  std::string_view cluster_name(const RequestHead& head) const override;
  /// Request header operations of all levels, in the table's order.
  void apply_request_ops(HeaderMap& headers, const stream::FormatContext& context) const;

  const std::string& name() const noexcept { return route_.name; }
  const std::string& virtual_host() const noexcept { return host_.name; }
  /// Null: none. They live as long as the table.
  const Metadata* metadata() const noexcept { return route_.metadata.get(); }
  const Metadata* virtual_host_metadata() const noexcept { return host_.metadata.get(); }
  const RouteTableOptions& table() const noexcept { return table_; }
  const RouteMatchOptions& matcher() const noexcept { return route_.match; }
  /// Exactly one of the three is not null.
  const RouteActionOptions* action() const noexcept {
    return route_.route ? &*route_.route : nullptr;
  }
  const RedirectOptions* redirect() const noexcept {
    return route_.redirect ? &*route_.redirect : nullptr;
  }
  const DirectResponseOptions* direct() const noexcept {
    return route_.direct ? &*route_.direct : nullptr;
  }
  /// The cluster's name; empty when cluster_header decides.
  const std::string& cluster() const noexcept {
    return weighted_ != nullptr ? weighted_->name : route_.route ? route_.route->cluster : kNone;
  }
  /// host_rewrite_literal of the weighted cluster or the route.
  const std::string& host_rewrite() const noexcept {
    return weighted_ != nullptr && !weighted_->host_rewrite_literal.empty()
               ? weighted_->host_rewrite_literal
           : route_.route ? route_.route->host_rewrite_literal
                          : kNone;
  }
  /// What the route says of an upgrade to `type` (in any case; "CONNECT" for CONNECT); null: nothing.
  const RouteUpgrade* upgrade(std::string_view type) const noexcept;
  /// Not null: the request's payload goes to the cluster as plain bytes.
  const ConnectOptions* terminates(const RequestHead& head) const noexcept;
  bool include_attempt_count() const noexcept { return host_.include_attempt_count; }

 private:
  static const std::string kNone;
  struct OpsList {  // the levels that have any operation
    std::array<const stream::HeaderOps*, 4> ops{};
    size_t count = 0;
    void add(const stream::HeaderOps& level) {
      if (!level.empty()) ops[count++] = &level;
    }
  };
  template <typename Level>
  void add_ops(const Level& level) {
    request_ops_.add(level.request_headers);
    response_ops_.add(level.response_headers);
  }
  /// From the most specific on; null: no such level.
  std::array<const FilterOverrides*, 4> filter_levels() const noexcept {
    return {weighted_ != nullptr ? &weighted_->filters : nullptr, &route_.filters, &host_.filters,
            &table_.filters};
  }
  const RouteTableOptions& table_;
  const VirtualHostOptions& host_;
  const RouteOptions& route_;
  const WeightedCluster* weighted_;
  OpsList request_ops_;
  OpsList response_ops_;
};

}  // namespace weir::router
