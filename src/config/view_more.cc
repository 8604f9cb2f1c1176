// The parts of View that only this layer's readers use, and data sources.
#include <chrono>

#include "config/scalar.h"
#include "config/view.h"

namespace weir::config {

std::unique_ptr<View> View::required_child(std::string_view field) {
  if (!has(field)) missing(field);
  return child(field);
}

bool View::no_items(std::string_view field) const {
  const Node* value = raw(field);
  return value == nullptr || (value->kind == Node::Kind::kList && value->items.empty());
}

uint32_t View::uint32(std::string_view field, uint32_t fallback, uint32_t min, uint32_t max) {
  return static_cast<uint32_t>(integer(field, fallback, min, max));
}

std::chrono::milliseconds View::millis(std::string_view field, std::chrono::milliseconds fallback) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration(field, fallback));
}

void View::later(std::initializer_list<std::string_view> fields) {
  for (std::string_view field : fields) {
    const Node* value = raw(field);
    if (value == nullptr) continue;
    const bool means_nothing = (value->kind == Node::Kind::kPlain && value->text == "false") ||
                               (value->scalar() && value->text.empty()) ||
                               (value->kind == Node::Kind::kList && value->items.empty());
    if (!means_nothing) unsupported(field, {});
  }
}

void View::ignore(std::initializer_list<std::string_view> fields) const {
  for (std::string_view field : fields) raw(field);
}

std::optional<std::string> View::data_source(std::string_view field) {
  auto source = child(field);
  return source ? source->own_data_source() : std::nullopt;
}

std::optional<std::string> View::own_data_source() {
  ignore({"watched_directory"});  // every file that the configuration names is watched
  const std::string_view kind =
      one_of({"filename", "inline_string", "inline_bytes", "environment_variable"}, Required::kYes);
  if (kind.empty()) return std::nullopt;
  const Node* value = scalar(kind, "a text");
  if (value == nullptr) return std::nullopt;
  if (kind == "inline_string") return value->text;
  if (kind == "inline_bytes") {
    auto bytes = parse_base64(value->text);
    if (!bytes) error(kind, "not base64");
    return bytes;
  }
  if (value->text.empty()) {
    error(kind, "must not be empty");
    return std::nullopt;
  }
  if (kind == "environment_variable") {
    auto text = context_.sources.environment(value->text);
    if (!text) error(kind, "the environment variable " + quote(value->text) + " is not set");
    return text;
  }
  auto bytes = context_.sources.read(value->text);
  if (!bytes) {
    error(kind, bytes.error().detail);
    return std::nullopt;
  }
  return std::string(*bytes);
}

}  // namespace weir::config
