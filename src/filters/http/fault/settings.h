// FaultSettings: one HTTPFault message, and what its faults are for a request.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <weir/config_view.h>
#include <weir/header_map.h>
#include <weir/matchers.h>

#include "filters/common/fraction.h"

namespace weir::filters {

/// A fault of one kind: how many requests get it, and whether they say themselves how.
struct Fault {
  FractionalPercent percentage;
  bool by_header = false;

  /// Whether this request gets it. A request that controls the fault may lower the percentage with the header `name`.
  bool draw(const HeaderMap& headers, std::string_view name) const;
};

/// Immutable. Of the process: shared by all workers.
struct FaultSettings {
  struct Delay : Fault {
    std::chrono::milliseconds fixed{0};
    /// Nothing: this request is not delayed.
    std::optional<std::chrono::milliseconds> choose(const HeaderMap& headers) const;
  };
  struct Abort : Fault {
    int http_status = 0;
    int grpc_status = -1;
    struct Answer {
      int status;
      int grpc_status;  // -1: derived from the status
    };
    /// Nothing: this request is not answered here.
    std::optional<Answer> choose(const HeaderMap& headers) const;
  };
  struct RateLimit : Fault {
    uint64_t kibibytes = 0;  // per second
    /// Nothing: the response is not slowed down.
    std::optional<uint64_t> choose(const HeaderMap& headers) const;
  };

  std::optional<Delay> delay;
  std::optional<Abort> abort;
  std::optional<RateLimit> response_rate_limit;
  std::string upstream_cluster;  // empty: all
  HeaderMatchers headers;
  std::vector<std::string> downstream_nodes;  // empty: all
  int64_t max_active_faults = 0;
  bool limited = false;  // max_active_faults holds
};

FaultSettings read_fault_settings(ConfigView& config);

}  // namespace weir::filters
