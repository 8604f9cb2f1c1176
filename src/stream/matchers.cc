#include <weir/matchers.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/regex.h"
#include "base/strings.h"

namespace weir {
namespace {

enum class Kind : uint8_t { kAny, kExact, kPrefix, kSuffix, kContains, kRegex };
struct Form {
  std::string_view field;
  Kind kind;
};
constexpr Form kForms[] = {{"exact", Kind::kExact},
                           {"prefix", Kind::kPrefix},
                           {"suffix", Kind::kSuffix},
                           {"contains", Kind::kContains},
                           {"safe_regex", Kind::kRegex}};
// HeaderMatcher's deprecated forms of string_match; still in wide use.
constexpr Form kOldForms[] = {{"exact_match", Kind::kExact},
                              {"prefix_match", Kind::kPrefix},
                              {"suffix_match", Kind::kSuffix},
                              {"contains_match", Kind::kContains},
                              {"safe_regex_match", Kind::kRegex}};

/// What a text is compared with. A regular expression that could not be read matches nothing.
struct TextRule {
  Kind kind = Kind::kRegex;
  bool ignore_case = false;
  std::string text;
  std::optional<base::Regex> regex;

  void read(ConfigView& view, const Form& form);
  bool matches(std::string_view value) const;
};

void TextRule::read(ConfigView& view, const Form& form) {
  kind = form.kind;
  if (kind == Kind::kRegex) {
    regex = base::Regex::read(view, form.field);
    return;
  }
  text = view.text(form.field, {});
  if (text.empty() && kind != Kind::kExact) view.error(form.field, "must not be empty");
}

bool TextRule::matches(std::string_view value) const {
  switch (kind) {
    case Kind::kAny:
      return true;
    case Kind::kExact:
      return ignore_case ? base::iequals(value, text) : value == text;
    case Kind::kPrefix:
      return ignore_case ? base::istarts_with(value, text) : value.starts_with(text);
    case Kind::kSuffix:
      if (!ignore_case) return value.ends_with(text);
      return value.size() >= text.size() &&
             base::iequals(value.substr(value.size() - text.size()), text);
    case Kind::kContains:
      return ignore_case ? base::icontains(value, text)
                         : value.find(text) != std::string_view::npos;
    case Kind::kRegex:
      return regex && regex->full_match(value);
  }
  return false;
}

TextRule read_string_matcher(ConfigView& view) {
  TextRule rule;
  rule.ignore_case = view.boolean("ignore_case", false);
  view.unsupported("custom", {});
  const std::string_view field = view.one_of(
      {"exact", "prefix", "suffix", "contains", "safe_regex"}, ConfigView::Required::kYes);
  for (const Form& form : kForms) {
    if (form.field == field) rule.read(view, form);
  }
  if (field == "safe_regex" && rule.ignore_case)
    view.error("ignore_case", "has no effect on a regular expression; write (?i) in it");
  return rule;
}

using RequestPart = std::string_view (RequestHead::*)() const noexcept;
constexpr std::pair<std::string_view, RequestPart> kRequestParts[] = {
    {":method", &RequestHead::method},
    {":path", &RequestHead::path},
    {":authority", &RequestHead::authority},
    {"host", &RequestHead::authority},
    {":scheme", &RequestHead::scheme}};

}  // namespace

// ---- StringMatcher ---------------------------------------------------------------------------------------------------

struct StringMatcher::Private {
  TextRule rule;
};

StringMatcher StringMatcher::read(ConfigView& view) {
  StringMatcher out;
  out.private_ = std::make_shared<const Private>(Private{read_string_matcher(view)});
  return out;
}

StringMatcher StringMatcher::read_without_case(ConfigView& view) {
  StringMatcher out;
  TextRule rule = read_string_matcher(view);
  rule.ignore_case = true;
  if (rule.regex) {
    auto regex = base::Regex::compile(base::concat("(?i:", rule.regex->pattern(), ")"));
    if (regex)
      rule.regex = std::move(*regex);
    else
      view.error("safe_regex", regex.error().detail);
  }
  out.private_ = std::make_shared<const Private>(Private{std::move(rule)});
  return out;
}

std::string StringMatcher::describe() const {
  if (private_ == nullptr) return {};
  const TextRule& rule = private_->rule;
  std::string out;
  for (const Form& form : kForms)
    if (form.kind == rule.kind) out = form.field;
  base::append_all(out, rule.ignore_case ? "/i:" : ":",
                   rule.regex ? std::string_view(rule.regex->pattern()) : rule.text);
  return out;
}

bool StringMatcher::matches(std::string_view value) const {
  return private_ != nullptr && private_->rule.matches(value);
}

// ---- HeaderMatchers --------------------------------------------------------------------------------------------------

// A rule stands in the list itself: a route's match follows no more pointers than to the list.
struct HeaderMatchers::One {
  enum class What : uint8_t { kPresent, kText, kRange };
  std::string name;            // lower-case
  RequestPart part = nullptr;  // null: a header
  HeaderId id = HeaderId::kOther;
  What what = What::kPresent;
  bool present = true;
  bool invert = false;
  bool missing_is_empty = false;
  int64_t start = 0, end = 0;  // [start, end)
  TextRule text;

  static One read(ConfigView& view);
  void read_range(ConfigView& view);
  bool matches(const RequestHead& head) const;
  std::optional<std::string_view> find(const RequestHead& head, std::string& joined) const;
};

HeaderMatchers::HeaderMatchers(std::vector<One> list)
    : all_(list.empty() ? nullptr : std::make_shared<const std::vector<One>>(std::move(list))) {}

void HeaderMatchers::One::read_range(ConfigView& view) {
  constexpr auto kLowest = std::numeric_limits<int64_t>::min();
  constexpr auto kHighest = std::numeric_limits<int64_t>::max();
  what = What::kRange;
  auto range = view.message("range_match");
  if (!range) return;
  start = range->integer("start", 0, kLowest, kHighest);
  end = range->integer("end", 0, kLowest, kHighest);
  if (end <= start) range->error("end", "must be greater than \"start\": the end is excluded");
}

HeaderMatchers::One HeaderMatchers::One::read(ConfigView& view) {
  One out;
  out.name = base::lower(view.required_text("name"));
  out.id = header_id(out.name);
  for (const auto& [name, part] : kRequestParts) {
    if (name == out.name) out.part = part;
  }
  out.invert = view.boolean("invert_match", false);
  out.missing_is_empty = view.boolean("treat_missing_header_as_empty", false);
  const std::string_view form =
      view.one_of({"string_match", "range_match", "present_match", "exact_match", "prefix_match",
                   "suffix_match", "contains_match", "safe_regex_match"},
                  ConfigView::Required::kNo);
  if (form == "string_match") {
    out.what = What::kText;
    if (auto string = view.message(form)) out.text = read_string_matcher(*string);
  } else if (form == "range_match") {
    out.read_range(view);
  } else if (form == "present_match") {
    out.present = view.boolean(form, true);
  }
  for (const Form& old : kOldForms) {
    if (old.field != form) continue;
    out.what = What::kText;
    out.text.read(view, old);
    // As Envoy's: an empty exact_match asks for the header alone.
    if (old.kind == Kind::kExact && out.text.text.empty()) out.text.kind = Kind::kAny;
  }
  return out;
}

/// The value; that of several fields is made in `joined`.
std::optional<std::string_view> HeaderMatchers::One::find(const RequestHead& head,
                                                          std::string& joined) const {
  if (part != nullptr) {
    const std::string_view value = (head.*part)();
    return value.empty() ? std::nullopt : std::optional(value);
  }
  std::optional<std::string_view> first;
  for (const HeaderMap::Entry& entry : head.headers) {
    if (entry.id != id || (id == HeaderId::kOther && entry.name != name)) continue;
    if (first) return joined = head.headers.joined(name);
    first = entry.value;
    if (what == What::kPresent) break;
  }
  return first;
}

bool HeaderMatchers::One::matches(const RequestHead& head) const {
  std::string joined;
  std::optional<std::string_view> value = find(head, joined);
  if (!value && missing_is_empty) value = std::string_view();
  if (what == What::kPresent) return (value.has_value() == present) != invert;
  if (!value) return false;
  bool result = false;
  if (what == What::kText) {
    result = text.matches(*value);
  } else {
    const std::optional<int64_t> number = base::parse_i64(*value);
    result = number && *number >= start && *number < end;
  }
  return result != invert;
}

HeaderMatchers HeaderMatchers::read(ConfigView& parent, std::string_view field) {
  std::vector<One> list;
  for (auto& view : parent.messages(field)) list.push_back(One::read(*view));
  return HeaderMatchers(std::move(list));
}

HeaderMatchers HeaderMatchers::read_one(ConfigView& view) {
  std::vector<One> list;
  list.push_back(One::read(view));
  return HeaderMatchers(std::move(list));
}

bool HeaderMatchers::matches(const RequestHead& head) const {
  if (all_ == nullptr) return true;
  return std::all_of(all_->begin(), all_->end(),
                     [&head](const One& one) { return one.matches(head); });
}

}  // namespace weir
