#include "config/view.h"

#include <algorithm>
#include <utility>

#include "config/json_text.h"
#include "config/scalar.h"

namespace weir::config {
namespace {

constexpr size_t kIndexFrom = 16;  // smaller mappings are searched
constexpr size_t kMaxAsked = 256;  // enough for suggestions in any message; maps may have more keys

std::string expected(std::string_view wanted, const Node& found) {
  return "expected " + std::string(wanted) + ", found " + found.describe();
}

}  // namespace

View::View(ViewContext& context, const Node& node, std::string path)
    : context_(context),
      node_(node),
      path_(std::move(path)),
      errors_before_(context.diagnostics.size()),
      known_(node.entries.size(), false) {}

View::~View() {
  for (size_t i = 0; i < known_.size(); ++i) {
    if (known_[i]) continue;
    const Node::Entry& entry = node_.entries[i];
    context_.diagnostics.add(entry.mark, path_,
                             "unknown field " + quote(entry.key) + suggestion(entry.key, asked_));
  }
}

std::string View::path() const {
  context_.places.emplace(path_, node_.mark);
  return path_;
}

size_t View::find(std::string_view field) const {
  auto name = context_.names.find(field);
  if (name == context_.names.end()) name = context_.names.emplace(field).first;
  const bool seen = std::any_of(asked_.begin(), asked_.end(), [&name](std::string_view other) {
    return other.data() == name->data();
  });
  if (!seen && asked_.size() < kMaxAsked) asked_.push_back(*name);
  const auto& entries = node_.entries;
  if (entries.size() >= kIndexFrom) {
    if (index_.empty()) {
      for (size_t i = 0; i < entries.size(); ++i) index_.emplace(entries[i].key, i);
    }
    if (auto found = index_.find(field); found != index_.end()) return found->second;
    if (field.find('_') == std::string_view::npos) return kNone;
  }
  size_t camel = kNone;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].key == field) return i;
    if (camel == kNone && names_field(entries[i].key, field)) camel = i;
  }
  return camel;
}

const Node* View::raw(std::string_view field) const {
  const size_t at = find(field);
  if (at == kNone) return nullptr;
  known_[at] = true;
  const Node* value = node_.entries[at].value;
  return value->kind == Node::Kind::kNull ? nullptr : value;
}

bool View::has(std::string_view field) const { return raw(field) != nullptr; }

Mark View::mark_of(std::string_view field) const {
  const size_t at = field.empty() ? kNone : find(field);
  if (at == kNone) return node_.mark;
  const Node& value = *node_.entries[at].value;
  return value.kind == Node::Kind::kNull ? node_.entries[at].mark : value.mark;
}

void View::mismatch(std::string_view field, std::string_view wanted, const Node& found) {
  error(field, expected(wanted, found));
}

const Node* View::scalar(std::string_view field, std::string_view wanted) {
  const Node* value = raw(field);
  if (value == nullptr || value->scalar()) return value;
  mismatch(field, wanted, *value);
  return nullptr;
}

std::string View::text(std::string_view field, std::string_view fallback) {
  const Node* value = scalar(field, "a text");
  return value == nullptr ? std::string(fallback) : value->text;
}

bool View::boolean(std::string_view field, bool fallback) {
  const Node* value = raw(field);
  if (value == nullptr) return fallback;
  if (value->kind == Node::Kind::kPlain) {
    for (std::string_view yes : {"true", "True", "TRUE"}) {
      if (value->text == yes) return true;
    }
    for (std::string_view no : {"false", "False", "FALSE"}) {
      if (value->text == no) return false;
    }
  }
  mismatch(field, "true or false", *value);
  return fallback;
}

int64_t View::integer(std::string_view field, int64_t fallback, int64_t min, int64_t max) {
  const Node* value = scalar(field, "a whole number");
  if (value == nullptr) return fallback;
  const auto number = parse_integer(value->text);
  if (!number) {
    mismatch(field, "a whole number", *value);
    return fallback;
  }
  if (*number < min || *number > max) {
    error(field, "out of range: " + std::to_string(*number) + " is not within " +
                     std::to_string(min) + " to " + std::to_string(max));
    return fallback;
  }
  return *number;
}

double View::number(std::string_view field, double fallback) {
  const Node* value = scalar(field, "a number");
  if (value == nullptr) return fallback;
  if (const auto number = parse_number(value->text)) return *number;
  mismatch(field, "a number", *value);
  return fallback;
}

std::chrono::nanoseconds View::duration(std::string_view field, std::chrono::nanoseconds fallback) {
  constexpr std::string_view kWanted = "a duration such as 1.5s or 250ms";
  const Node* value = scalar(field, kWanted);
  if (value == nullptr) return fallback;
  if (const auto duration = parse_duration(value->text)) return *duration;
  mismatch(field, kWanted, *value);
  return fallback;
}

const Node* View::list(std::string_view field) {
  const Node* value = raw(field);
  if (value == nullptr || value->kind == Node::Kind::kList) return value;
  mismatch(field, "a list", *value);
  return nullptr;
}

std::vector<std::string> View::texts(std::string_view field) {
  std::vector<std::string> out;
  const Node* value = list(field);
  if (value == nullptr) return out;
  for (size_t i = 0; i < value->items.size(); ++i) {
    const Node& item = *value->items[i];
    if (item.scalar()) {
      out.push_back(item.text);
    } else {
      context_.diagnostics.add(item.mark, path_below(path_below(path_, field), i),
                               expected("a text", item));
    }
  }
  return out;
}

size_t View::enumeration(std::string_view field, const std::vector<std::string_view>& names,
                         size_t fallback) {
  const Node* value = scalar(field, "a name");
  if (value == nullptr) return fallback;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty() && names[i] == value->text) return i;
  }
  const auto number = parse_integer(value->text);
  if (number && *number >= 0 && static_cast<uint64_t>(*number) < names.size() &&
      !names[static_cast<size_t>(*number)].empty()) {
    return static_cast<size_t>(*number);
  }
  std::string all;
  for (std::string_view name : names) {
    if (name.empty()) continue;
    if (!all.empty()) all += ", ";
    all += name;
  }
  error(field, "unknown value " + quote(value->text) + "; it is one of " + all +
                   suggestion(value->text, names));
  return fallback;
}

std::vector<std::string> View::keys() const {
  std::vector<std::string> out;
  out.reserve(node_.entries.size());
  for (const Node::Entry& entry : node_.entries) out.push_back(entry.key);
  return out;
}

std::string View::type() {
  const std::string full = text("@type");
  if (full.empty()) return {};
  const size_t slash = full.rfind('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == full.size()) {
    error("@type", "expected \"type.googleapis.com/\" and a message's name, found " + quote(full));
    return {};
  }
  return full.substr(slash + 1);
}

std::optional<std::string> View::json(std::string_view field) {
  const Node* value = raw(field);
  if (value == nullptr) return std::nullopt;
  return canonical_json(*value);
}

std::unique_ptr<View> View::child(std::string_view field) {
  const Node* value = raw(field);
  if (value == nullptr) return nullptr;
  if (value->kind != Node::Kind::kMap) {
    mismatch(field, "a mapping", *value);
    return nullptr;
  }
  return std::make_unique<View>(context_, *value, path_below(path_, field));
}

std::vector<std::unique_ptr<View>> View::children(std::string_view field) {
  std::vector<std::unique_ptr<View>> out;
  const Node* value = list(field);
  if (value == nullptr) return out;
  const std::string base = path_below(path_, field);
  out.reserve(value->items.size());
  for (size_t i = 0; i < value->items.size(); ++i) {
    const Node& item = *value->items[i];
    if (item.kind == Node::Kind::kMap) {
      out.push_back(std::make_unique<View>(context_, item, path_below(base, i)));
    } else {
      context_.diagnostics.add(item.mark, path_below(base, i), expected("a mapping", item));
    }
  }
  return out;
}

std::vector<std::unique_ptr<ConfigView>> View::messages(std::string_view field) {
  std::vector<std::unique_ptr<ConfigView>> out;
  for (auto& view : children(field)) out.push_back(std::move(view));
  return out;
}

void View::error(std::string_view field, std::string_view message) {
  if (!field.empty()) raw(field);  // the field has been judged: it is not unknown as well
  context_.diagnostics.add(mark_of(field), field.empty() ? path_ : path_below(path_, field),
                           std::string(message));
}

void View::unsupported(std::string_view field, std::string_view why) {
  const size_t at = find(field);
  if (at == kNone) return;
  known_[at] = true;
  if (node_.entries[at].value->kind == Node::Kind::kNull) return;
  std::string message = quote(field) + " is not supported";
  message += why.empty() ? std::string(" yet") : ": " + std::string(why);
  context_.diagnostics.add(node_.entries[at].mark, path_, std::move(message));
}

bool View::failed() const { return context_.diagnostics.any_below(path_, errors_before_); }

}  // namespace weir::config
