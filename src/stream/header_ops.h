// Header operations of routes and filters: add, append, overwrite, remove, with format operators in values. Filters have
// them as weir::HeaderOptions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/header_options.h>

#include "stream/format.h"

namespace weir::stream {

struct HeaderAdd {
  std::string name;  // lower-case; never a pseudo-header or host
  Format value;
  AppendAction action = AppendAction::kAppendOrAdd;
  bool keep_empty_value = false;

  /// core.v3.HeaderValueOption; the view is the message. Null if it is wrong, which is reported.
  static std::optional<HeaderAdd> read(ConfigView& option);
  /// `scratch` holds values while they are made.
  void apply(HeaderMap& headers, const FormatContext& context, std::string& scratch) const;
};
/// A list of core.v3.HeaderValueOption.
std::vector<HeaderAdd> read_header_adds(ConfigView& parent, std::string_view field);

struct HeaderOps {
  std::vector<HeaderAdd> add;
  std::vector<std::string> remove;

  /// request_headers_to_add and request_headers_to_remove, for example.
  static HeaderOps read(ConfigView& parent, std::string_view add, std::string_view remove);
  bool empty() const noexcept { return add.empty() && remove.empty(); }
  void apply(HeaderMap& headers, const FormatContext& context) const;
};

}  // namespace weir::stream
