// What the network filters read alike.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <weir/filter_registry.h>
#include <weir/shared_objects.h>

namespace weir::filters {

/// core.v3.RuntimeFeatureFlag: its default_value, for there is no runtime.
inline bool read_feature_flag(ConfigView& parent, std::string_view field, bool fallback) {
  auto view = parent.message(field);
  if (!view) return fallback;
  static_cast<void>(view->text("runtime_key"));
  if (!view->has("default_value")) view->missing("default_value");
  return view->boolean("default_value", fallback);
}

/// SharedObjects::get() of the process; an object of the caller's own where nothing is shared (tests).
template <typename T, typename Make>
std::shared_ptr<T> shared_object(FactoryContext& context, std::string_view name, Make&& make) {
  if (context.shared == nullptr) return std::forward<Make>(make)();
  return context.shared->get<T>(name, std::forward<Make>(make));
}

}  // namespace weir::filters
