// Reader of one cluster.
#pragma once

#include <memory>

#include "config/loading.h"
#include "upstream/options.h"

namespace weir::config {

/// config.cluster.v3.Cluster; the view is the message. Never null; worthless if an error was reported.
std::shared_ptr<const upstream::ClusterOptions> read_cluster(View& cluster, Loading& loading);

}  // namespace weir::config
