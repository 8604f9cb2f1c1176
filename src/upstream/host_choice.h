// HostChoice: what one request or connection asks of the choice of its host.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::upstream {

struct HostChoice {
  /// The same host for the same one, as far as hosts stay; none: by lb_policy.
  std::optional<uint64_t> hash{};
  /// Hosts ("ip:port") that have failed before: the others are taken while there are any. Outlives the attempt.
  std::span<const std::string> avoid{};
  /// The host ("ip:port") that is taken while the cluster has it and it is not one to avoid. Outlives the attempt.
  std::string_view wanted{};
};

}  // namespace weir::upstream
