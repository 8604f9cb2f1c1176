#include "filters/common/header_options.h"

namespace weir::filters {

namespace {

const std::vector<std::string_view> kActions = {"APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT",
                                                "OVERWRITE_IF_EXISTS_OR_ADD",
                                                "OVERWRITE_IF_EXISTS"};

bool token(std::string_view name) noexcept {
  for (const char c : name) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    if (!alnum && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos)
      return false;
  }
  return !name.empty();
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

}  // namespace

bool changeable_name(ConfigView& view, std::string_view field, const std::string& name) {
  if (!name.empty() && (name[0] == ':' || name == "host")) {
    view.error(field, "\"" + name + "\" cannot be changed here");
    return false;
  }
  if (token(name)) return true;
  view.error(field, name.empty() ? "must be set" : "\"" + name + "\" is not a header name");
  return false;
}

bool safe_value(std::string_view value) noexcept {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

HeaderOption HeaderOption::read(ConfigView& view) {
  HeaderOption out;
  if (auto header = view.message("header")) {
    out.name = lower(header->text("key"));
    changeable_name(*header, "key", out.name);
    const std::string value = header->text("value");
    auto format = ValueFormat::compile(value);
    if (!format)
      header->error("value", format.error().detail);
    else if (!safe_value(value))
      header->error("value", "has a line break");
    else
      out.value = std::move(*format);
  } else {
    view.error("header", "must be set");
  }
  out.action = static_cast<AppendAction>(view.enumeration("append_action", kActions, 0));
  if (view.has("append")) {  // deprecated, still common
    if (view.has("append_action"))
      view.error("append", "only one of append and append_action may be set");
    if (!view.boolean("append", true)) out.action = AppendAction::kOverwriteOrAdd;
  }
  out.keep_empty = view.boolean("keep_empty_value", false);
  return out;
}

void HeaderOption::apply(HeaderMap& headers, FilterCallbacks& stream, std::string& scratch) const {
  const bool present = action != AppendAction::kAppendOrAdd && headers.get(name).has_value();
  if (action == AppendAction::kAddIfAbsent && present) return;
  if (action == AppendAction::kOverwriteIfExists && !present) return;
  scratch.clear();
  value.append(stream, scratch);
  if ((scratch.empty() && !keep_empty) || !safe_value(scratch)) return;
  if (present)
    headers.set(name, scratch);
  else
    headers.add(name, scratch);
}

std::vector<HeaderOption> read_header_options(ConfigView& parent, std::string_view field) {
  std::vector<HeaderOption> out;
  for (auto& view : parent.messages(field)) out.push_back(HeaderOption::read(*view));
  return out;
}

}  // namespace weir::filters
