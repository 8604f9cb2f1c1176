// Header operations of routes and filters: add, append, overwrite, remove, with format operators in values.
#pragma once

#include <string>
#include <vector>

#include "stream/format.h"

namespace weir::stream {

/// HeaderValueOption.append_action, in Envoy's order of enum values.
enum class AppendAction : uint8_t {
  kAppendOrAdd,
  kAddIfAbsent,
  kOverwriteOrAdd,
  kOverwriteIfExists
};

struct HeaderAdd {
  std::string name;  // lower-case; never a pseudo-header or host
  Format value;
  AppendAction action = AppendAction::kAppendOrAdd;
  bool keep_empty_value = false;
};

struct HeaderOps {
  std::vector<HeaderAdd> add;
  std::vector<std::string> remove;
  bool empty() const noexcept { return add.empty() && remove.empty(); }
  void apply(HeaderMap& headers, const FormatContext& context) const;
};

}  // namespace weir::stream
