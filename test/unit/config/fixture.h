// What the tests of config/ share: a registry of stub filters and short ways to load texts.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/loader.h"
#include "event/loop.h"
#include "router/filter_host.h"
#include "stats/store.h"

namespace weir::config::test {

struct StubRouteConfig {
  std::string label;
};

/// A filter factory that only remembers what it was told.
class StubFactory final : public HttpFilterFactory {
 public:
  StubFactory(std::string name, std::string label, bool terminal, std::string code)
      : name(std::move(name)),
        label(std::move(label)),
        code(std::move(code)),
        terminal_(terminal) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override { return nullptr; }
  bool terminal() const noexcept override { return terminal_; }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    if (terminal_) return HttpFilterFactory::make_route_config(config);
    return std::make_shared<const StubRouteConfig>(StubRouteConfig{config.text("label")});
  }
  std::string name, label, code;

 private:
  bool terminal_;
};

inline std::shared_ptr<const HttpFilterFactory> make_router_stub(ConfigView& view,
                                                                 FactoryContext& context) {
  view.boolean("suppress_envoy_headers", false);
  return std::make_shared<const StubFactory>(std::string(context.name), std::string(), true,
                                             std::string());
}

inline std::shared_ptr<const HttpFilterFactory> make_label_stub(ConfigView& view,
                                                                FactoryContext& context) {
  context.stats.counter("stub.made").inc();
  const std::string label = view.text("label");
  if (label == "refused") return nullptr;
  view.integer("level", 0, 0, 10);
  const auto code = view.data_source("code");
  return std::make_shared<const StubFactory>(std::string(context.name), label, false,
                                             code.value_or(""));
}

/// Takes any field: stands for the real filters in the examples.
class AnythingFactory final : public HttpFilterFactory {
 public:
  std::unique_ptr<HttpFilter> create(unsigned) const override { return nullptr; }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    for (const std::string& key : config.keys()) config.json(key);
    return std::make_shared<const StubRouteConfig>();
  }
};

inline std::shared_ptr<const HttpFilterFactory> make_anything_stub(ConfigView& view,
                                                                   FactoryContext&) {
  for (const std::string& key : view.keys()) view.json(key);
  return std::make_shared<const AnythingFactory>();
}

inline constexpr char kRouterType[] = "envoy.extensions.filters.http.router.v3.Router";
inline constexpr char kLabelType[] = "test.Label";

class TerminalNetworkStub final : public NetworkFilterFactory {
 public:
  std::unique_ptr<NetworkFilter> create(unsigned) const override { return nullptr; }
  bool terminal() const noexcept override { return true; }
};
class NetworkStub final : public NetworkFilterFactory {
 public:
  std::unique_ptr<NetworkFilter> create(unsigned) const override { return nullptr; }
};

/// Takes every field.
template <typename Stub>
std::shared_ptr<const NetworkFilterFactory> make_network_stub(ConfigView& config, FactoryContext&) {
  for (const std::string& key : config.keys()) static_cast<void>(config.json(key));
  return std::make_shared<const Stub>();
}

class LoggerStub final : public AccessLogger {
 public:
  void log(const Exchange&, unsigned) const override {}
};
inline std::shared_ptr<const AccessLogger> make_logger_stub(ConfigView& config, FactoryContext&) {
  for (const std::string& key : config.keys()) static_cast<void>(config.json(key));
  return std::make_shared<const LoggerStub>();
}
inline std::shared_ptr<const BootstrapExtension> make_extension_stub(ConfigView& config,
                                                                     FactoryContext&) {
  for (const std::string& key : config.keys()) static_cast<void>(config.json(key));
  return std::make_shared<const BootstrapExtension>();
}

/// What examples have besides: it would stand in lists of what is known.
inline void add_more_stubs(FilterRegistry& registry) {
  registry.add_network("envoy.extensions.filters.network.echo.v3.Echo",
                       &make_network_stub<TerminalNetworkStub>);
  registry.add_network("envoy.extensions.filters.network.wasm.v3.Wasm",
                       &make_network_stub<NetworkStub>);
  registry.add_access_logger("envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
                             &make_logger_stub);
  registry.add_bootstrap_extension("envoy.extensions.wasm.v3.WasmService", &make_extension_stub);
}

inline FilterRegistry stub_registry() {
  FilterRegistry registry;
  registry.add_http(kRouterType, &make_router_stub);
  registry.add_http(kLabelType, &make_label_stub);
  for (const char* type : {"envoy.extensions.filters.http.wasm.v3.Wasm",
                           "envoy.extensions.filters.http.buffer.v3.Buffer",
                           "envoy.extensions.filters.http.compressor.v3.Compressor",
                           "envoy.extensions.filters.http.cors.v3.Cors",
                           "envoy.extensions.filters.http.decompressor.v3.Decompressor",
                           "envoy.extensions.filters.http.fault.v3.HTTPFault",
                           "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
                           "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
                           "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                           "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                           "envoy.extensions.filters.http.health_check.v3.HealthCheck"}) {
    registry.add_http(type, &make_anything_stub);
  }
  registry.add_network("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                       &make_network_stub<TerminalNetworkStub>);
  for (const char* type : {"envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
                           "envoy.extensions.filters.network.rbac.v3.RBAC"}) {
    registry.add_network(type, &make_network_stub<NetworkStub>);
  }
  return registry;
}

/// No filter of these tests runs, so that nothing of the host may be asked for.
class NoHost final : public router::FilterHost {
 public:
  upstream::WorkerClusters& clusters(unsigned) override { std::abort(); }
  event::Loop& loop(unsigned) override { std::abort(); }
  unsigned workers() const noexcept override { return 1; }
  wasm::Host* wasm() override { return nullptr; }
  bool health_check_failed() const noexcept override { return false; }
};

class LoaderTest : public ::testing::Test {
 protected:
  LoadResult load(const std::string& yaml) { return load_text(yaml, "t.yaml", context_); }

  /// Loads what must be right.
  std::unique_ptr<Configuration> good(const std::string& yaml) {
    LoadResult result = load(yaml);
    EXPECT_EQ(texts(result.diagnostics), "") << yaml;
    if (!result.configuration) std::abort();
    return std::move(result.configuration);
  }

  static std::string texts(const std::vector<Diagnostic>& diagnostics) {
    std::string out;
    for (const Diagnostic& diagnostic : diagnostics) out += diagnostic.to_string() + "\n";
    return out;
  }

  FilterRegistry registry_ = stub_registry();
  stats::Store stats_{2};
  NoHost host_;
  LoadContext context_{registry_, stats_, host_};
};

/// `text` with every line indented by `spaces`.
inline std::string indent(const std::string& text, size_t spaces) {
  std::string out;
  bool line_start = true;
  for (char c : text) {
    if (line_start && c != '\n') out.append(spaces, ' ');
    out += c;
    line_start = c == '\n';
  }
  return out;
}

/// A whole file around the fields of an HTTP connection manager; the first of them is on line 10, column 11.
inline std::string with_hcm(const std::string& fields, const std::string& clusters = "") {
  return "static_resources:\n"
         "  listeners:\n"
         "  - name: main\n"
         "    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}\n"
         "    filter_chains:\n"
         "    - filters:\n"
         "      - name: hcm\n"
         "        typed_config:\n"
         "          \"@type\": "
         "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
         "HttpConnectionManager\n" +
         indent(fields, 10) + (clusters.empty() ? "" : "  clusters:\n" + indent(clusters, 2));
}

inline const std::string kRouter =
    "- name: router\n  typed_config: {\"@type\": type.googleapis.com/" + std::string(kRouterType) +
    "}\n";

/// HCM fields with the router and one virtual host; `routes` are list items, the first of them on line 19, column 15.
inline std::string with_routes(const std::string& routes, const std::string& clusters = "") {
  return with_hcm(
      "stat_prefix: in\n"
      "http_filters:\n" +
          kRouter +
          "route_config:\n"
          "  virtual_hosts:\n"
          "  - name: all\n"
          "    domains: [\"*\"]\n"
          "    routes:\n" +
          indent(routes, 4),
      clusters);
}

inline std::string cluster_named(const std::string& name) {
  return "- name: " + name + "\n  connect_timeout: 1s\n";
}

}  // namespace weir::config::test
