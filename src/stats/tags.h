// Tags: what Envoy cuts out of a stat's name to make a Prometheus label of it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::stats {

struct TaggedName {
  std::string name;  // as Prometheus shows it: "envoy_cluster_upstream_rq"
  std::vector<std::pair<std::string, std::string>> tags;
};

/// Envoy's default tag extraction (well_known_names.cc), as far as weir has such stats.
TaggedName extract_tags(std::string_view stat_name);

}  // namespace weir::stats
