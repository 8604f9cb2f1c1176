// HeaderValueOption lists of native filters: headers to add, with format operators in their values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/config_view.h>
#include <weir/http_filter.h>
#include <weir/value_format.h>

namespace weir::filters {

/// In the order of Envoy's enum values.
enum class AppendAction : uint8_t {
  kAppendOrAdd,
  kAddIfAbsent,
  kOverwriteOrAdd,
  kOverwriteIfExists
};

struct HeaderOption {
  std::string name;  // lower-case
  ValueFormat value;
  AppendAction action = AppendAction::kAppendOrAdd;
  bool keep_empty = false;

  /// Reads a HeaderValueOption; mistakes are reported on `view`.
  static HeaderOption read(ConfigView& view);
  void apply(HeaderMap& headers, FilterCallbacks& stream, std::string& scratch) const;
};

std::vector<HeaderOption> read_header_options(ConfigView& parent, std::string_view field);
/// True for a name that headers may have and that operations may touch: no pseudo-header, not host.
bool changeable_name(ConfigView& view, std::string_view field, const std::string& name);
/// No CR, LF or NUL: what formats bring in must not end a line.
bool safe_value(std::string_view value) noexcept;

}  // namespace weir::filters
