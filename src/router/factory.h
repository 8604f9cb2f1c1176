// The router: the terminal filter that sends a request to its route's cluster and the response back into the chain.
#pragma once

#include <memory>
#include <weir/config_view.h>
#include <weir/filter_registry.h>

#include "upstream/options.h"

namespace weir::router {

/// For "envoy.extensions.filters.http.router.v3.Router". FactoryContext::host is a router::FilterHost*. The filters that
/// the factory makes are stream::TerminalFilters.
std::shared_ptr<const HttpFilterFactory> make_router_factory(ConfigView& config,
                                                             FactoryContext& context);

/// The upstream_http_filters of a factory that make_router_factory() has made; null: it is of another filter.
const upstream::HttpFilters* upstream_filters_of(const HttpFilterFactory& factory);

}  // namespace weir::router
