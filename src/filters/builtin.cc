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

namespace weir::filters {

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
}

}  // namespace weir::filters
