// What the network filters read alike.
#pragma once

#include <string_view>
#include <weir/config_view.h>

namespace weir::filters {

/// core.v3.RuntimeFeatureFlag: its default_value, for there is no runtime.
inline bool read_feature_flag(ConfigView& parent, std::string_view field, bool fallback) {
  auto view = parent.message(field);
  if (!view) return fallback;
  static_cast<void>(view->text("runtime_key"));
  if (!view->has("default_value")) view->missing("default_value");
  return view->boolean("default_value", fallback);
}

}  // namespace weir::filters
