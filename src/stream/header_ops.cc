#include "stream/header_ops.h"

#include "http/rules.h"

namespace weir::stream {

void HeaderOps::apply(HeaderMap& headers, const FormatContext& context) const {
  std::string value;
  // Envoy's order: removals first, so that a field can be replaced by a remove and an add.
  for (const std::string& name : remove) headers.remove(name);
  for (const HeaderAdd& item : add) {
    const bool present =
        item.action != AppendAction::kAppendOrAdd && headers.get(item.name).has_value();
    if (item.action == AppendAction::kAddIfAbsent && present) continue;
    if (item.action == AppendAction::kOverwriteIfExists && !present) continue;
    value.clear();
    item.value.append(context, value, Format::Escape::kNo, true);
    if (value.empty() && !item.keep_empty_value) continue;
    // An operator may bring in what a peer sent (filter state, details): it must not end the line.
    if (!http::valid_header_value(value)) continue;
    if (item.action == AppendAction::kAppendOrAdd || !present)
      headers.add(item.name, value);
    else
      headers.set(item.name, value);
  }
}

}  // namespace weir::stream
