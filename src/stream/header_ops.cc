#include "stream/header_ops.h"

#include <chrono>
#include <utility>

#include "base/strings.h"
#include "http/rules.h"

namespace weir {
namespace {

constexpr size_t kMaxHeaderBytes = 16384;  // of a name or a value that the configuration adds

std::string too_long() { return base::concat("longer than ", kMaxHeaderBytes, " bytes"); }

AppendAction read_action(ConfigView& option) {
  if (!option.has("append")) return read_append_action(option, "append_action");
  if (option.has("append_action"))
    option.error("append", "deprecated, and cannot be given beside \"append_action\"");
  return option.boolean("append", true) ? AppendAction::kAppendOrAdd
                                        : AppendAction::kOverwriteOrAdd;
}

std::optional<stream::Format> read_value(ConfigView& header) {
  const std::string value = header.text("value", {});
  std::string wrong;
  if (value.size() > kMaxHeaderBytes)
    wrong = too_long();
  else if (!http::valid_header_value(value))
    wrong = "a control character cannot stand in a header";
  else if (auto format = stream::Format::compile(value))
    return std::move(*format);
  else
    wrong = format.error().detail;
  header.error("value", wrong);
  return std::nullopt;
}

}  // namespace

// ---- names and actions -----------------------------------------------------------------------------------------------

AppendAction read_append_action(ConfigView& view, std::string_view field) {
  return static_cast<AppendAction>(
      view.enumeration(field,
                       {"APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD",
                        "OVERWRITE_IF_EXISTS"},
                       0));
}

std::string changeable_header_name(ConfigView& view, std::string_view field,
                                   std::string_view name) {
  std::string lower = base::lower(name);
  if (lower.empty()) {
    view.missing(field);
  } else if (lower[0] != ':' && !http::valid_header_name(lower)) {
    view.error(field, base::quote(lower) + " is not a header name");
  } else if (lower[0] == ':' || lower == "host") {
    view.error(field, base::quote(lower) + " cannot be changed here; use a host or path rewrite");
  } else if (lower.size() > kMaxHeaderBytes) {
    view.error(field, too_long());
  } else {
    return lower;
  }
  return {};
}

// ---- HeaderAdd, HeaderOps ----------------------------------------------------------------------------------------------

namespace stream {

std::optional<HeaderAdd> HeaderAdd::read(ConfigView& option) {
  HeaderAdd out;
  out.action = read_action(option);
  out.keep_empty_value = option.boolean("keep_empty_value", false);
  auto header = option.required_message("header");
  if (!header) return std::nullopt;
  // A key that is no text has been reported when it is read.
  const std::string key = header->required_text("key");
  if (!key.empty()) out.name = changeable_header_name(*header, "key", key);
  header->unsupported("raw_value", {});
  auto value = read_value(*header);
  if (out.name.empty() || !value) return std::nullopt;
  out.value = std::move(*value);
  return out;
}

void HeaderAdd::apply(HeaderMap& headers, const FormatContext& context,
                      std::string& scratch) const {
  const bool present = action != AppendAction::kAppendOrAdd && headers.get(name).has_value();
  if (action == AppendAction::kAddIfAbsent && present) return;
  if (action == AppendAction::kOverwriteIfExists && !present) return;
  std::string_view text;
  if (const auto constant = value.constant()) {
    text = *constant;
  } else {
    scratch.clear();
    value.append(context, scratch, Format::Escape::kNo, true);
    text = scratch;
    // An operator may bring in what a peer sent (filter state, details): it must not end the line. Nor may a peer keep its own
    // field where it is to be overwritten.
    if (!http::valid_header_value(text)) {
      if (present) headers.remove(name);
      return;
    }
  }
  if (text.empty() && !keep_empty_value) return;
  if (present)
    headers.set(name, text);
  else
    headers.add(name, text);
}

std::vector<HeaderAdd> read_header_adds(ConfigView& parent, std::string_view field) {
  std::vector<HeaderAdd> out;
  for (auto& option : parent.messages(field)) {
    if (auto add = HeaderAdd::read(*option)) out.push_back(std::move(*add));
  }
  return out;
}

HeaderOps HeaderOps::read(ConfigView& parent, std::string_view add, std::string_view remove) {
  HeaderOps ops;
  ops.add = read_header_adds(parent, add);
  for (const std::string& name : parent.texts(remove)) {
    if (name.empty()) {
      parent.error(remove, "a header name is empty");
    } else if (std::string lower = changeable_header_name(parent, remove, name); !lower.empty()) {
      ops.remove.push_back(std::move(lower));
    }
  }
  return ops;
}

void HeaderOps::apply(HeaderMap& headers, const FormatContext& context) const {
  // Envoy's order: removals first, so that a field can be replaced by a remove and an add.
  for (const std::string& name : remove) headers.remove(name);
  std::string scratch;
  for (const HeaderAdd& item : add) item.apply(headers, context, scratch);
}

}  // namespace stream

// ---- HeaderOptions -----------------------------------------------------------------------------------------------------

struct HeaderOptions::Private {
  std::vector<stream::HeaderAdd> list;
};

HeaderOptions HeaderOptions::read(ConfigView& parent, std::string_view field) {
  HeaderOptions out;
  auto list = stream::read_header_adds(parent, field);
  if (!list.empty()) out.private_ = std::make_shared<const Private>(Private{std::move(list)});
  return out;
}

HeaderOptions HeaderOptions::read_one(ConfigView& view) {
  HeaderOptions out;
  auto add = stream::HeaderAdd::read(view);
  if (!add) return out;
  Private made;
  made.list.push_back(std::move(*add));
  out.private_ = std::make_shared<const Private>(std::move(made));
  return out;
}

void HeaderOptions::apply(HeaderMap& headers, FilterCallbacks& stream) const {
  if (private_ == nullptr) return;
  const stream::FormatContext context = stream::context_of(stream);
  std::string scratch;
  for (const stream::HeaderAdd& item : private_->list) item.apply(headers, context, scratch);
}

}  // namespace weir
