// Properties under privacy: which names a property has, and what a guest sees of those that hold others.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wasm/privacy/private_field.h"
#include "wasm/property.h"

namespace weir::wasm {

/// By its own names and those of all that it is a part of. Names are segments joined by '.'; what can be read under two paths
/// has both names.
Sight property_sight(const NameRules& rules, const PropertyPath& path);

/// The fields of one direction, and the properties made of them, as a guest sees them. Without privacy: all.
class FieldSight {
 public:
  /// `group` is the property that holds them, as "request.headers".
  FieldSight(const Privacy* privacy, Direction side, std::string_view group) noexcept
      : privacy_(privacy), side_(side), group_(group) {}
  /// Null: hidden. The text is the value's own or stands in `made`.
  std::optional<std::string_view> see(std::string_view lower, std::string_view value,
                                      std::string& made) const {
    if (privacy_ == nullptr) [[likely]]
      return value;
    return seen_value(*privacy_, {side_, lower}, value, made);
  }
  /// Likewise as an entry of the map that is the property.
  std::optional<std::string_view> see_entry(std::string_view lower, std::string_view value,
                                            std::string& made) const;
  /// What may be told of what is made of a field's value.
  Sight sight(std::string_view lower) const {
    return privacy_ == nullptr ? Sight::kShown : privacy_->field(side_, lower);
  }
  /// Names and values that are seen; null where all of them are.
  std::optional<uint64_t> bytes(const HeaderMap* fields, const RequestHead* request,
                                const ResponseHead* response) const;

 private:
  const Privacy* privacy_;
  Direction side_;
  std::string_view group_;
};

/// An entry of the filter state.
std::optional<std::string_view> seen_state(const Privacy* privacy, std::string_view key,
                                           std::string_view value);
/// The client's address. Null: hidden.
std::optional<std::string_view> seen_client(const Privacy* privacy, std::string_view address,
                                            std::string& made);
/// A text among others in a message; empty where it is hidden.
std::string seen_text(const NameRules& rules, std::string_view name, const std::string& text);
/// What is left of a tree of values that stands at `name`.
StructValue seen_tree(const NameRules& rules, const std::string& name, StructValue tree);
/// The node without what is hidden of it.
NodeProperty seen_node(const NameRules& rules, const NodeProperty& node);

}  // namespace weir::wasm
