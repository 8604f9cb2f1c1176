// Readers of how a cluster's names are resolved.
#pragma once

#include "config/view.h"
#include "upstream/options.h"

namespace weir::config {

/// The resolver of a bootstrap or a cluster: typed_dns_resolver_config, or one of the older forms. `out` keeps what it has
/// where the message names none.
void read_resolver(View& view, upstream::ResolverOptions& out);

/// The fields of a cluster. They mean something for the DNS types alone, and are checked for all.
void read_cluster_dns(View& cluster, upstream::DnsOptions& out);

/// DnsCluster, the typed_config of cluster_type envoy.cluster.dns. What it says takes the place of the cluster's fields.
void read_dns_cluster(View& config, upstream::ClusterOptions& out,
                      const upstream::ResolverOptions& default_resolver);

}  // namespace weir::config
