#include "wasm/privacy/private_field.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "wasm/privacy/named_parts.h"

namespace weir::wasm {
namespace {

using Content = Privacy::Content;
using Views = std::vector<std::string_view>;

// ---- cookies ----------------------------------------------------------------------------------------

void write_cookies(const Privacy& privacy, const Views& originals, const Views& given,
                   WrittenValues& out) {
  PartsWriter writer(privacy, kCookieParts, originals);
  for (const std::string_view text : given)
    if (auto written = writer.write(text)) out.values.push_back(std::move(*written));
  if (writer.has_hidden()) {
    if (out.values.empty()) out.values.emplace_back();
    writer.add_hidden(out.values.back());
  }
  out.refused = writer.refused();
}

/// "name=value; attributes".
struct SetCookie {
  std::string_view text, name, value;
  std::string_view attributes;  // with the semicolon before them
  explicit SetCookie(std::string_view from) : text(from) {
    const size_t end = std::min(from.find(';'), from.size());
    attributes = from.substr(end);
    const NamedPart part = part_of(from.substr(0, end), kCookieParts);
    name = part.name;
    value = part.value.value_or(std::string_view());
  }
};

void write_set_cookies(const Privacy& privacy, const Views& originals, const Views& given,
                       WrittenValues& out) {
  MaskedTexts masked;
  for (const std::string_view text : originals) {
    const SetCookie cookie(text);
    const Sight sight = privacy.cookie(cookie.name);
    if (sight == Sight::kHidden) out.values.emplace_back(text);
    if (sight == Sight::kMasked) masked.add(cookie.name, cookie.value);
  }
  for (const std::string_view text : given) {
    const SetCookie cookie(text);
    const Sight sight = privacy.cookie(cookie.name);
    if (sight == Sight::kHidden) {
      out.refused = true;
    } else if (sight == Sight::kMasked && cookie.value == kMask) {
      const auto value = masked.take(cookie.name).value_or(kMask);
      out.values.push_back(base::concat(cookie.name, '=', value, cookie.attributes));
    } else {
      out.values.emplace_back(text);
    }
  }
}

// ---- URLs -------------------------------------------------------------------------------------------

/// Some servers put parameters into the fragment as well; it has the rules of the query.
struct Url {
  std::string_view base;
  std::optional<std::string_view> query, fragment;
  explicit Url(std::string_view text) {
    if (const size_t at = text.find('#'); at != std::string_view::npos) {
      fragment = text.substr(at + 1);
      text = text.substr(0, at);
    }
    if (const size_t at = text.find('?'); at != std::string_view::npos) {
      query = text.substr(at + 1);
      text = text.substr(0, at);
    }
    base = text;
  }
};

/// Scheme and authority; empty for what has none (RFC 3986 section 4.2): then "//" is a part of the path.
std::string_view place_of(std::string_view base) noexcept {
  const size_t mark = base.find("//");
  if (mark == std::string_view::npos || base.substr(0, mark).find('/') != std::string_view::npos)
    return {};
  if (mark > 0 && base[mark - 1] != ':') return {};
  const size_t end = base.find('/', mark + 2);
  return base.substr(0, end);
}

std::string seen_url(const Privacy& privacy, std::string_view text) {
  const Url url(text);
  std::string out(url.base);
  const auto put = [&privacy, &out](char mark, std::optional<std::string_view> parameters) {
    if (!parameters) return;
    const auto seen = seen_parts(privacy, kParameterParts, *parameters);
    if (seen) base::append_all(out, mark, *seen);
  };
  put('?', url.query);
  put('#', url.fragment);
  return out;
}

std::string written_url(const Privacy& privacy, FieldName field, std::string_view original,
                        std::string_view given, bool& refused) {
  if (seen_url(privacy, original) == given) return std::string(original);
  const Url before(original);
  const Url after(given);
  // "*" has no place for what is hidden.
  if (field.lower == ":path" && after.base == "*" && before.query &&
      PartsWriter(privacy, kParameterParts, {*before.query}).has_hidden()) {
    refused = true;
    return std::string(original);
  }
  // What is hidden goes to nobody but whom it was for.
  const bool same_place = field.lower == ":path" || place_of(before.base) == place_of(after.base);
  std::string out(after.base);
  const auto put = [&](char mark, std::optional<std::string_view> old,
                       std::optional<std::string_view> fresh) {
    PartsWriter writer(privacy, kParameterParts, {old.value_or(std::string_view())});
    if (!same_place) {
      refused = refused || writer.has_hidden();
      if (fresh) base::append_all(out, mark, *fresh);
      return;
    }
    std::optional<std::string> text;
    if (fresh) text = writer.write(*fresh);
    refused = refused || writer.refused();
    if (writer.has_hidden()) {
      if (!text) text.emplace();
      writer.add_hidden(*text);
    }
    if (text) base::append_all(out, mark, *text);
  };
  put('?', before.query, after.query);
  put('#', before.fragment, after.fragment);
  return out;
}

/// The guest may have put more behind what it saw, as proxies do.
std::string written_addresses(std::string_view original, std::string_view seen,
                              std::string_view given) {
  if (given == seen) return std::string(original);
  if (given.starts_with(seen) && given.substr(seen.size()).starts_with(','))
    return base::concat(original, given.substr(seen.size()));
  return std::string(given);
}

/// The guest writes back what it has read.
bool is_what_is_seen(const Privacy& privacy, FieldName field, const Views& originals,
                     const Views& given) {
  size_t next = 0;
  std::string made;
  for (const std::string_view original : originals) {
    const auto seen = seen_value(privacy, field, original, made);
    if (seen && (next == given.size() || given[next++] != *seen)) return false;
  }
  return next == given.size() && next > 0;
}

/// A mask is the value of its own place; where places have changed, the n-th mask is the n-th value.
void write_masked(const Views& originals, const Views& given, WrittenValues& out) {
  const bool in_place = given.size() == originals.size();
  size_t masks = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    const size_t at = in_place ? i : masks;
    if (given[i] == kMask) ++masks;
    out.values.emplace_back(given[i] == kMask && at < originals.size() ? originals[at] : given[i]);
  }
}

}  // namespace

std::optional<std::string_view> seen_value(const Privacy& privacy, FieldName field,
                                           std::string_view value, std::string& made) {
  const Sight sight = privacy.field(field.side, field.lower);
  if (sight == Sight::kHidden) return std::nullopt;
  if (sight == Sight::kMasked) return kMask;
  switch (privacy.content(field.lower)) {
    case Content::kPlain:
      return value;
    case Content::kCookies: {
      auto seen = seen_parts(privacy, kCookieParts, value);
      if (!seen) return std::nullopt;
      made = std::move(*seen);
      break;
    }
    case Content::kSetCookie: {
      const SetCookie cookie(value);
      const Sight named = privacy.cookie(cookie.name);
      if (named == Sight::kHidden) return std::nullopt;
      if (named == Sight::kShown) return value;
      made = base::concat(cookie.name, '=', kMask, cookie.attributes);
      break;
    }
    case Content::kUrl:
      made = seen_url(privacy, value);
      break;
    case Content::kAddresses:
      made = masked_addresses(value);
      break;
    case Content::kForwarded:
      made = masked_forwarded(value);
      break;
  }
  return made;
}

WrittenValues written_values(const Privacy& privacy, FieldName field, const Views& originals,
                             const Views& given) {
  WrittenValues out;
  const Sight sight = privacy.field(field.side, field.lower);
  if (sight == Sight::kHidden) {
    out.values.assign(originals.begin(), originals.end());
    out.refused = !given.empty();
    return out;
  }
  const Content content = sight == Sight::kShown ? privacy.content(field.lower) : Content::kPlain;
  if (content != Content::kPlain && is_what_is_seen(privacy, field, originals, given)) {
    out.values.assign(originals.begin(), originals.end());
    return out;
  }
  if (content == Content::kCookies) {
    write_cookies(privacy, originals, given, out);
    return out;
  }
  if (content == Content::kSetCookie) {
    write_set_cookies(privacy, originals, given, out);
    return out;
  }
  if (sight == Sight::kMasked) {
    write_masked(originals, given, out);
    return out;
  }
  // The others are values by themselves: the n-th that is given stands for the n-th that was there.
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string_view original = i < originals.size() ? originals[i] : std::string_view();
    if (i >= originals.size() && content != Content::kUrl) {
      out.values.emplace_back(given[i]);
    } else if (content == Content::kUrl) {
      out.values.push_back(written_url(privacy, field, original, given[i], out.refused));
    } else if (content == Content::kPlain) {
      out.values.emplace_back(given[i]);
    } else {
      std::string made;
      const auto seen = seen_value(privacy, field, original, made);
      out.values.push_back(written_addresses(original, seen.value_or(original), given[i]));
    }
  }
  return out;
}

}  // namespace weir::wasm
