// String, header and query matchers, and header operations.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "config/parts.h"
#include "http/rules.h"

namespace weir::config {
namespace {

using Kind = router::StringMatch::Kind;
using router::HeaderMatch;
using router::StringMatch;

constexpr std::pair<std::string_view, Kind> kStringKinds[] = {{"exact", Kind::kExact},
                                                              {"prefix", Kind::kPrefix},
                                                              {"suffix", Kind::kSuffix},
                                                              {"contains", Kind::kContains}};
// HeaderMatcher's older forms of string_match; still in wide use.
constexpr std::pair<std::string_view, Kind> kOldHeaderKinds[] = {
    {"exact_match", Kind::kExact},
    {"prefix_match", Kind::kPrefix},
    {"suffix_match", Kind::kSuffix},
    {"contains_match", Kind::kContains}};

constexpr size_t kMaxHeaderBytes = 16384;  // of a name or a value that the configuration adds

void read_old_form(View& matcher, std::string_view form, HeaderMatch& match) {
  match.kind = HeaderMatch::Kind::kString;
  if (form == "safe_regex_match") {
    match.string.kind = Kind::kRegex;
    match.string.regex = read_regex(matcher, form);
    return;
  }
  for (const auto& [name, kind] : kOldHeaderKinds) {
    if (form != name) continue;
    match.string.kind = kind;
    match.string.text = matcher.text(form);
  }
}

void read_range(View& matcher, HeaderMatch& match) {
  constexpr auto kLowest = std::numeric_limits<int64_t>::min();
  constexpr auto kHighest = std::numeric_limits<int64_t>::max();
  match.kind = HeaderMatch::Kind::kRange;
  auto range = matcher.child("range_match");
  if (!range) return;
  match.range_start = range->integer("start", 0, kLowest, kHighest);
  match.range_end = range->integer("end", 0, kLowest, kHighest);
  if (match.range_end <= match.range_start)
    range->error("end", "must be greater than \"start\": the end is excluded");
}

// Names that operations must not touch: the request line's parts and what the codec answers for.
bool protected_header(std::string_view name) { return name[0] == ':' || name == "host"; }

bool judge_name(View& view, std::string_view field, const std::string& name) {
  if (name.empty()) return false;
  if (name[0] != ':' && !http::valid_header_name(name)) {
    view.error(field, quote(name) + " is not a header name");
  } else if (protected_header(name)) {
    view.error(field, quote(name) + " cannot be changed here; use a host or path rewrite");
  } else if (name.size() > kMaxHeaderBytes) {
    view.error(field, "longer than " + std::to_string(kMaxHeaderBytes) + " bytes");
  } else {
    return true;
  }
  return false;
}

stream::AppendAction read_append_action(View& option) {
  using Action = stream::AppendAction;
  if (option.has("append") && option.has("append_action")) {
    option.error("append", "deprecated, and cannot be given beside \"append_action\"");
  }
  if (option.has("append")) {
    return option.boolean("append", true) ? Action::kAppendOrAdd : Action::kOverwriteOrAdd;
  }
  return static_cast<Action>(
      option.enumeration("append_action",
                         {"APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD",
                          "OVERWRITE_IF_EXISTS"},
                         0));
}

std::optional<stream::HeaderAdd> read_header_add(View& option) {
  const stream::AppendAction action = read_append_action(option);
  const bool keep_empty = option.boolean("keep_empty_value", false);
  auto header = option.required_child("header");
  if (!header) return std::nullopt;
  const std::string name = base::lower(header->required_text("key"));
  const bool good_name = judge_name(*header, "key", name);
  header->later({"raw_value"});
  const std::string value = header->text("value");
  if (value.size() > kMaxHeaderBytes || !http::valid_header_value(value)) {
    header->error("value", value.size() > kMaxHeaderBytes
                               ? "longer than " + std::to_string(kMaxHeaderBytes) + " bytes"
                               : std::string("a control character cannot stand in a header"));
    return std::nullopt;
  }
  auto format = compile_format(*header, "value", value);
  if (!good_name || !format) return std::nullopt;
  return stream::HeaderAdd{name, std::move(*format), action, keep_empty};
}

}  // namespace

std::optional<StringMatch> read_string_match(View& parent, std::string_view field) {
  auto matcher = parent.child(field);
  if (!matcher) return std::nullopt;
  StringMatch match;
  match.ignore_case = matcher->boolean("ignore_case", false);
  matcher->later({"custom"});
  const std::string_view kind = matcher->one_of(
      {"exact", "prefix", "suffix", "contains", "safe_regex"}, View::Required::kYes);
  if (kind.empty()) return std::nullopt;
  if (kind == "safe_regex") {
    match.kind = Kind::kRegex;
    match.regex = read_regex(*matcher, kind);
    if (match.ignore_case)
      matcher->error("ignore_case", "has no effect on a regular expression; write (?i) in it");
    return match.regex ? std::optional(std::move(match)) : std::nullopt;
  }
  for (const auto& [name, value] : kStringKinds) {
    if (kind == name) match.kind = value;
  }
  match.text = matcher->text(kind);
  if (match.text.empty() && match.kind != Kind::kExact) matcher->error(kind, "must not be empty");
  return match;
}

std::optional<HeaderMatch> read_header_match(View& matcher) {
  HeaderMatch match;
  match.name = base::lower(matcher.required_text("name"));
  match.invert = matcher.boolean("invert_match", false);
  match.treat_missing_as_empty = matcher.boolean("treat_missing_header_as_empty", false);
  const std::string_view form =
      matcher.one_of({"string_match", "range_match", "present_match", "exact_match", "prefix_match",
                      "suffix_match", "contains_match", "safe_regex_match"},
                     View::Required::kNo);
  if (form == "string_match") {
    match.kind = HeaderMatch::Kind::kString;
    auto string = read_string_match(matcher, form);
    if (!string) return std::nullopt;
    match.string = std::move(*string);
  } else if (form == "range_match") {
    read_range(matcher, match);
  } else if (form == "present_match") {
    match.present = matcher.boolean(form, true);
  } else if (!form.empty()) {
    read_old_form(matcher, form, match);
    if (match.string.kind == Kind::kRegex && !match.string.regex) return std::nullopt;
  }
  if (match.name.empty()) return std::nullopt;
  return match;
}

router::QueryMatch read_query_match(View& matcher) {
  router::QueryMatch match;
  match.name = matcher.required_text("name");
  const std::string_view form =
      matcher.one_of({"string_match", "present_match"}, View::Required::kNo);
  if (form == "string_match") match.string = read_string_match(matcher, form);
  if (form == "present_match") match.present = matcher.boolean(form, true);
  return match;
}

std::vector<stream::HeaderAdd> read_header_adds(View& parent, std::string_view field) {
  std::vector<stream::HeaderAdd> out;
  for (auto& option : parent.children(field)) {
    if (auto add = read_header_add(*option)) out.push_back(std::move(*add));
  }
  return out;
}

stream::HeaderOps read_header_ops(View& parent, std::string_view add, std::string_view remove) {
  stream::HeaderOps ops;
  ops.add = read_header_adds(parent, add);
  for (const std::string& name : parent.texts(remove)) {
    std::string lower = base::lower(name);
    if (lower.empty()) parent.error(remove, "a header name is empty");
    if (judge_name(parent, remove, lower)) ops.remove.push_back(std::move(lower));
  }
  return ops;
}

}  // namespace weir::config
