// grpc_web: lets browsers speak to gRPC services: gRPC-Web of the client becomes gRPC, and back.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb".
std::shared_ptr<const HttpFilterFactory> make_grpc_web(ConfigView& config, FactoryContext& context);

}  // namespace weir::filters
