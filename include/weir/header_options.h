// Headers that the configuration adds: Envoy's HeaderValueOption, with format operators in the values.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <weir/config_view.h>
#include <weir/http_filter.h>

namespace weir {

/// In the order of Envoy's enum values.
enum class AppendAction : uint8_t {
  kAppendOrAdd,
  kAddIfAbsent,
  kOverwriteOrAdd,
  kOverwriteIfExists
};
/// "APPEND_IF_EXISTS_OR_ADD" (the default) and so on.
AppendAction read_append_action(ConfigView& view, std::string_view field);

/// `name` in lower case. Empty if the configuration must not touch such a header: one that is no header name or longer
/// than 16 KiB, a part of the request line (":path"), "host"; then it is reported at the field. An absent name is
/// reported as missing.
std::string changeable_header_name(ConfigView& view, std::string_view field, std::string_view name);

/// A list of HeaderValueOptions. Immutable; cheap to copy.
class HeaderOptions {
 public:
  /// Reads the repeated field; absent: an empty list. Mistakes are reported, and the option left out: a name as above, a
  /// value longer than 16 KiB, with a control character or an unknown operator.
  static HeaderOptions read(ConfigView& parent, std::string_view field);
  /// Reads one HeaderValueOption, the message itself.
  static HeaderOptions read_one(ConfigView& view);
  HeaderOptions() = default;
  bool empty() const noexcept { return private_ == nullptr; }

  /// An empty value is added with keep_empty_value only; one that would end its line is not added.
  void apply(HeaderMap& headers, FilterCallbacks& stream) const;

 private:
  struct Private;
  std::shared_ptr<const Private> private_;  // null: empty
};

}  // namespace weir
