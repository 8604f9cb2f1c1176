// Fraction: how many of all requests something is done to; Envoy's FractionalPercent.
#pragma once

#include <cstdint>
#include <string_view>
#include <weir/config_view.h>

namespace weir::filters {

/// A share of a million.
struct Fraction {
  static constexpr uint32_t kAll = 1000000;
  uint32_t millionths = 0;
  /// True for this share of the calls. Draws with the calling thread's own generator.
  bool draw() const noexcept;
};

/// A FractionalPercent as it was written, for the filters whose requests may lower the numerator.
struct FractionalPercent {
  uint32_t numerator = 0;
  uint32_t scale = 10000;  // millionths of one unit of the numerator
  Fraction fraction() const noexcept { return with(numerator); }
  /// With another numerator, at most that of the configuration.
  Fraction with(uint64_t other) const noexcept;
};

/// Reads the message itself.
FractionalPercent read_percent(ConfigView& percent);
/// A FractionalPercent field; absent: 0 %.
FractionalPercent read_percent(ConfigView& parent, std::string_view field);
/// A RuntimeFractionalPercent field; absent: `fallback`. There is no runtime: its default value holds.
Fraction read_runtime_fraction(ConfigView& parent, std::string_view field, Fraction fallback = {});
/// A RuntimeFeatureFlag field; absent: `fallback`.
bool read_runtime_flag(ConfigView& parent, std::string_view field, bool fallback);

}  // namespace weir::filters
