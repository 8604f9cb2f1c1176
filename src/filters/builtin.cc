#include "filters/builtin.h"

#include "filters/http/buffer/buffer_filter.h"
#include "filters/http/compressor/compressor_filter.h"
#include "filters/http/cors/cors_filter.h"
#include "filters/http/decompressor/decompressor_filter.h"
#include "filters/http/fault/fault_filter.h"
#include "filters/http/grpc_stats/grpc_stats_filter.h"
#include "filters/http/grpc_web/grpc_web_filter.h"
#include "filters/http/header_mutation/header_mutation_filter.h"
#include "filters/http/health_check/health_check_filter.h"
#include "filters/http/local_ratelimit/local_ratelimit_filter.h"
#include "filters/network/connection_limit/connection_limit_filter.h"
#include "filters/network/direct_response/direct_response_filter.h"
#include "filters/network/echo/echo_filter.h"
#include "filters/network/local_ratelimit/local_ratelimit_filter.h"
#include "filters/network/rbac/rbac_filter.h"
#include "filters/network/sni_cluster/sni_cluster_filter.h"
#include "filters/network/tcp_proxy/tcp_proxy_filter.h"

namespace weir::filters {

namespace {

void add_network_filters(FilterRegistry& registry) {
  registry.add_network("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", &make_tcp_proxy);
  registry.add_network("envoy.extensions.filters.network.echo.v3.Echo", &make_echo);
  registry.add_network("envoy.extensions.filters.network.direct_response.v3.Config",
                       &make_direct_response);
  registry.add_network("envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
                       &make_connection_limit);
  registry.add_network("envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit",
                       &make_network_local_ratelimit);
  registry.add_network("envoy.extensions.filters.network.rbac.v3.RBAC", &make_network_rbac);
  registry.add_network("envoy.extensions.filters.network.sni_cluster.v3.SniCluster",
                       &make_sni_cluster);
}

}  // namespace

void add_builtin_filters(FilterRegistry& registry) {
  registry.add_http("envoy.extensions.filters.http.buffer.v3.Buffer", &make_buffer);
  registry.add_http("envoy.extensions.filters.http.compressor.v3.Compressor", &make_compressor);
  registry.add_http("envoy.extensions.filters.http.cors.v3.Cors", &make_cors);
  registry.add_http("envoy.extensions.filters.http.decompressor.v3.Decompressor",
                    &make_decompressor);
  registry.add_http("envoy.extensions.filters.http.fault.v3.HTTPFault", &make_fault);
  registry.add_http("envoy.extensions.filters.http.grpc_stats.v3.FilterConfig", &make_grpc_stats);
  registry.add_http("envoy.extensions.filters.http.grpc_web.v3.GrpcWeb", &make_grpc_web);
  registry.add_http("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                    &make_header_mutation);
  registry.add_http("envoy.extensions.filters.http.health_check.v3.HealthCheck",
                    &make_health_check);
  registry.add_http("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                    &make_local_ratelimit);
  add_network_filters(registry);
}

}  // namespace weir::filters
