#include <weir/matchers.h>

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/regex.h"
#include "base/strings.h"

namespace weir {

namespace {

enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };
constexpr std::pair<std::string_view, Kind> kKinds[] = {{"exact", Kind::kExact},
                                                        {"prefix", Kind::kPrefix},
                                                        {"suffix", Kind::kSuffix},
                                                        {"contains", Kind::kContains},
                                                        {"safe_regex", Kind::kRegex}};

std::optional<base::Regex> read_regex(ConfigView& parent, std::string_view field) {
  auto view = parent.message(field);
  if (!view) return std::nullopt;
  const std::string pattern = view->text("regex");
  if (view->has("google_re2"))
    static_cast<void>(view->json("google_re2"));  // deprecated, says nothing
  auto regex = base::Regex::compile(pattern);
  if (regex) return std::move(*regex);
  view->error("regex", regex.error().detail);
  return std::nullopt;
}

}  // namespace

// ---- StringMatcher ---------------------------------------------------------------------------------------------------

struct StringMatcher::Private {
  Kind kind = Kind::kExact;
  std::string text;
  bool ignore_case = false;
  std::optional<base::Regex> regex;
};

StringMatcher::StringMatcher() = default;
StringMatcher::~StringMatcher() = default;
StringMatcher::StringMatcher(const StringMatcher&) = default;
StringMatcher& StringMatcher::operator=(const StringMatcher&) = default;

StringMatcher StringMatcher::read(ConfigView& view) {
  Private made;
  int found = 0;
  for (const auto& [name, kind] : kKinds) {
    if (!view.has(name)) continue;
    if (++found > 1)
      view.error(name, "only one of exact, prefix, suffix, contains and safe_regex may be set");
    made.kind = kind;
    if (kind == Kind::kRegex)
      made.regex = read_regex(view, name);
    else
      made.text = view.text(name);
  }
  made.ignore_case = view.boolean("ignore_case", false);
  if (made.kind == Kind::kRegex && made.ignore_case)
    view.error("ignore_case", "has no effect on safe_regex");
  StringMatcher out;
  if (found == 0)
    view.error({}, "one of exact, prefix, suffix, contains and safe_regex must be set");
  else
    out.private_ = std::make_shared<const Private>(std::move(made));
  return out;
}

bool StringMatcher::matches(std::string_view value) const {
  if (private_ == nullptr) return false;
  const std::string& text = private_->text;
  const bool loose = private_->ignore_case;
  switch (private_->kind) {
    case Kind::kExact:
      return loose ? base::iequals(value, text) : value == text;
    case Kind::kPrefix:
      return loose ? base::istarts_with(value, text) : value.starts_with(text);
    case Kind::kSuffix:
      if (!loose || value.size() < text.size()) return value.ends_with(text);
      return base::iequals(value.substr(value.size() - text.size()), text);
    case Kind::kContains:
      return loose ? base::icontains(value, text) : value.find(text) != std::string_view::npos;
    case Kind::kRegex:
      return private_->regex && private_->regex->full_match(value);
  }
  return false;
}

// ---- HeaderMatchers --------------------------------------------------------------------------------------------------

struct HeaderMatchers::One {
  enum class What : uint8_t { kPresent, kText, kRange, kString };
  std::string name;
  What what = What::kPresent;
  bool present = true;
  bool invert = false;
  bool missing_is_empty = false;
  int64_t start = 0, end = 0;
  std::string text;  // of the old "exact_match"
  StringMatcher string;

  static One read(ConfigView& view);
  bool matches(const RequestHead& head) const;
};

HeaderMatchers::HeaderMatchers() = default;
HeaderMatchers::~HeaderMatchers() = default;
HeaderMatchers::HeaderMatchers(const HeaderMatchers&) = default;
HeaderMatchers& HeaderMatchers::operator=(const HeaderMatchers&) = default;

HeaderMatchers::One HeaderMatchers::One::read(ConfigView& view) {
  One out;
  out.name = base::lower(view.text("name"));
  if (out.name.empty()) view.error("name", "must be set");
  if (auto string = view.message("string_match")) {
    out.what = What::kString;
    out.string = StringMatcher::read(*string);
  } else if (view.has("exact_match")) {
    out.what = What::kText;
    out.text = view.text("exact_match");
  } else if (auto range = view.message("range_match")) {
    constexpr auto kLow = std::numeric_limits<int64_t>::min();
    constexpr auto kHigh = std::numeric_limits<int64_t>::max();
    out.what = What::kRange;
    out.start = range->integer("start", 0, kLow, kHigh);
    out.end = range->integer("end", 0, kLow, kHigh);
  } else {
    out.present = view.boolean("present_match", true);
  }
  out.invert = view.boolean("invert_match", false);
  out.missing_is_empty = view.boolean("treat_missing_header_as_empty", false);
  return out;
}

bool HeaderMatchers::One::matches(const RequestHead& head) const {
  std::optional<std::string_view> value;
  std::string all;
  if (name == ":method")
    value = head.method();
  else if (name == ":path")
    value = head.path();
  else if (name == ":authority" || name == "host")
    value = head.authority();
  else if (name == ":scheme")
    value = head.scheme();
  else
    value = head.headers.get(name);
  if (value && head.headers.count(name) > 1) value = all = head.headers.joined(name);
  if (!value && missing_is_empty) value = std::string_view();
  if (what == What::kPresent) return (value.has_value() == present) != invert;
  if (!value) return false;
  bool result = false;
  if (what == What::kText) result = *value == text;
  if (what == What::kString) result = string.matches(*value);
  if (what == What::kRange) {
    const auto number = base::parse_i64(*value);
    result = number && *number >= start && *number < end;
  }
  return result != invert;
}

HeaderMatchers HeaderMatchers::read(ConfigView& parent, std::string_view field) {
  std::vector<One> list;
  for (auto& view : parent.messages(field)) list.push_back(One::read(*view));
  HeaderMatchers out;
  out.all_ = std::make_shared<const std::vector<One>>(std::move(list));
  return out;
}

bool HeaderMatchers::empty() const noexcept { return all_ == nullptr || all_->empty(); }

bool HeaderMatchers::matches(const RequestHead& head) const {
  if (all_ == nullptr) return true;
  for (const One& one : *all_)
    if (!one.matches(head)) return false;
  return true;
}

}  // namespace weir
