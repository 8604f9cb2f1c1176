// FilterRegistry: how filters get into the binary. One readable function lists them all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <weir/access_logger.h>
#include <weir/config_view.h>
#include <weir/host_functions.h>
#include <weir/http_filter.h>
#include <weir/network_filter.h>
#include <weir/shared_objects.h>
#include <weir/stats.h>

namespace weir {

/// Makes the filters of one configured place in a chain. Immutable after its making, shared by all workers;
/// create() is called on workers concurrently.
class HttpFilterFactory {
 public:
  virtual ~HttpFilterFactory() = default;
  /// A filter for a new stream on worker `worker`; null = no filter on this stream.
  virtual std::unique_ptr<HttpFilter> create(unsigned worker) const = 0;
  /// Per-route configuration (typed_per_filter_config). Null + error reported on the view if unsupported.
  virtual std::shared_ptr<const void> make_route_config(ConfigView& config) const {
    config.error({}, "this filter has no per-route configuration");
    return nullptr;
  }
  /// Full name of the message that make_route_config() reads; another one is an error. Empty: it looks at the type itself.
  virtual std::string_view route_config_type() const noexcept { return {}; }
  /// Terminal filters (the router) end a chain and must be last.
  virtual bool terminal() const noexcept { return false; }
};

class FilterRegistry;

/// What a factory may use while it is made. Thread: main.
struct FactoryContext {
  StatsScope& stats;                   // "http.<stat_prefix>."
  std::string_view name;               // the filter's configured name
  std::string_view traffic_direction;  // "UNSPECIFIED", "INBOUND", "OUTBOUND"
  void* host = nullptr;  // for weir's own terminal and Wasm filters (router::FilterHost)
  StatsScope* root_stats =
      nullptr;  // names from the root, for filters with a stat_prefix of their own; null: `stats`
  const FilterRegistry* registry = nullptr;  // for filters that have filters; null: there are none
  SharedObjects* shared = nullptr;           // of the process; null in tests alone
};

/// What one entry of `bootstrap_extensions` has made. Owner: the configuration of its generation; it dies with that, on whichever
/// thread lets go of it last.
class BootstrapExtension {
 public:
  virtual ~BootstrapExtension() = default;
};

/// For everything but HTTP filters FactoryContext::stats has names from the root. `name` is the configured one; access loggers have
/// none. Null after an error, which is reported on the view.
using NetworkFilterMaker = std::shared_ptr<const NetworkFilterFactory> (*)(ConfigView&,
                                                                           FactoryContext&);
using AccessLoggerMaker = std::shared_ptr<const AccessLogger> (*)(ConfigView&, FactoryContext&);
using BootstrapExtensionMaker = std::shared_ptr<const BootstrapExtension> (*)(ConfigView&,
                                                                              FactoryContext&);
using HttpFilterMaker = std::shared_ptr<const HttpFilterFactory> (*)(ConfigView&, FactoryContext&);

/// Maps an "@type" (without "type.googleapis.com/") to the function that reads its options. An ordinary
/// object owned by the composition root; no static registration. Filled before the server runs, then only read.
/// add_*: a second one of a type replaces the first. find_*: null where the type is not known.
class FilterRegistry {
 public:
  void add_http(std::string type, HttpFilterMaker maker) { http_[std::move(type)] = maker; }
  HttpFilterMaker find_http(std::string_view type) const {
    auto found = http_.find(type);
    return found == http_.end() ? nullptr : found->second;
  }
  void add_network(std::string type, NetworkFilterMaker maker) {
    network_[std::move(type)] = maker;
  }
  NetworkFilterMaker find_network(std::string_view type) const {
    auto found = network_.find(type);
    return found == network_.end() ? nullptr : found->second;
  }
  void add_access_logger(std::string type, AccessLoggerMaker maker) {
    access_loggers_[std::move(type)] = maker;
  }
  AccessLoggerMaker find_access_logger(std::string_view type) const {
    auto found = access_loggers_.find(type);
    return found == access_loggers_.end() ? nullptr : found->second;
  }
  const std::map<std::string, AccessLoggerMaker, std::less<>>& access_loggers() const noexcept {
    return access_loggers_;
  }
  void add_bootstrap_extension(std::string type, BootstrapExtensionMaker maker) {
    bootstrap_extensions_[std::move(type)] = maker;
  }
  BootstrapExtensionMaker find_bootstrap_extension(std::string_view type) const {
    auto found = bootstrap_extensions_.find(type);
    return found == bootstrap_extensions_.end() ? nullptr : found->second;
  }
  const std::map<std::string, BootstrapExtensionMaker, std::less<>>& bootstrap_extensions()
      const noexcept {
    return bootstrap_extensions_;
  }
  const std::map<std::string, NetworkFilterMaker, std::less<>>& network() const noexcept {
    return network_;
  }
  const std::map<std::string, HttpFilterMaker, std::less<>>& http() const noexcept { return http_; }

  /// For Wasm guests.
  HostFunctions& host_functions() noexcept { return host_functions_; }
  const HostFunctions& host_functions() const noexcept { return host_functions_; }

 private:
  HostFunctions host_functions_;
  std::map<std::string, HttpFilterMaker, std::less<>> http_;
  std::map<std::string, NetworkFilterMaker, std::less<>> network_;
  std::map<std::string, AccessLoggerMaker, std::less<>> access_loggers_;
  std::map<std::string, BootstrapExtensionMaker, std::less<>> bootstrap_extensions_;
};

}  // namespace weir
