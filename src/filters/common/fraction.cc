#include "filters/common/fraction.h"

#include <algorithm>
#include <random>
#include <vector>

namespace weir::filters {

bool Fraction::draw() const noexcept {
  if (millionths == 0) return false;
  if (millionths >= kAll) return true;
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_int_distribution<uint32_t>(0, kAll - 1)(random) < millionths;
}

Fraction FractionalPercent::with(uint64_t other) const noexcept {
  const uint64_t share = std::min<uint64_t>(other, numerator) * scale;
  return {static_cast<uint32_t>(std::min<uint64_t>(share, Fraction::kAll))};
}

FractionalPercent read_percent(ConfigView& percent) {
  static const std::vector<std::string_view> kDenominators = {"HUNDRED", "TEN_THOUSAND", "MILLION"};
  constexpr uint32_t kScale[] = {10000, 100, 1};
  FractionalPercent out;
  out.numerator = static_cast<uint32_t>(percent.integer("numerator", 0, 0, Fraction::kAll));
  out.scale = kScale[percent.enumeration("denominator", kDenominators, 0)];
  return out;
}

FractionalPercent read_percent(ConfigView& parent, std::string_view field) {
  auto view = parent.message(field);
  return view ? read_percent(*view) : FractionalPercent();
}

Fraction read_runtime_fraction(ConfigView& parent, std::string_view field, Fraction fallback) {
  auto view = parent.message(field);
  if (!view) return fallback;
  static_cast<void>(view->text("runtime_key"));
  auto value = view->message("default_value");
  if (!value) {
    view->missing("default_value");
    return fallback;
  }
  return read_percent(*value).fraction();
}

bool read_runtime_flag(ConfigView& parent, std::string_view field, bool fallback) {
  auto view = parent.message(field);
  if (!view) return fallback;
  static_cast<void>(view->text("runtime_key"));
  if (!view->has("default_value")) view->missing("default_value");
  return view->boolean("default_value", fallback);
}

}  // namespace weir::filters
