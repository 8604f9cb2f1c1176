// HostChoice: what one request or connection asks of the choice of its host.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace weir::upstream {

struct HostChoice {
  /// The same host for the same one, as far as hosts stay; none: by lb_policy.
  std::optional<uint64_t> hash{};
  /// Hosts ("ip:port") that have failed before: the others are taken while there are any. Outlives the attempt.
  std::span<const std::string> avoid{};
};

}  // namespace weir::upstream
