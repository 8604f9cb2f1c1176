#include "filters/http/compressor/accept_encoding.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "filters/common/tokens.h"

namespace weir::filters {

namespace {

constexpr int kFull = 1000;  // weights have three digits

/// "0.5" as 500; nothing if it is no weight (RFC 9110 section 12.4.2).
std::optional<int> read_weight(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = text[0] == '1' ? kFull : 0;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return std::nullopt;
  int digit_value = kFull / 10;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    weight += (c - '0') * digit_value;
    digit_value /= 10;
  }
  return weight <= kFull ? std::optional(weight) : std::nullopt;
}

struct Element {
  std::string_view name;
  int weight = kFull;
};

std::optional<Element> next_element(std::string_view& rest) noexcept {
  std::string_view item = cut(rest, ',');
  Element out;
  out.name = cut(item, ';');
  if (out.name.empty()) return std::nullopt;
  while (!item.empty()) {
    std::string_view parameter = cut(item, ';');
    const std::string_view key = cut(parameter, '=');
    if (!is_token(key, "q")) continue;
    const auto weight = read_weight(trim(parameter));
    if (!weight) return std::nullopt;
    out.weight = *weight;
  }
  return out;
}

bool names(std::string_view list, std::string_view encoding) noexcept {
  while (!list.empty())
    if (const auto element = next_element(list))
      if (is_token(element->name, encoding)) return true;
  return false;
}

/// What "*" stands for: an offer that the client does not name.
const Offer* unnamed(std::string_view list, std::span<const Offer> offers) noexcept {
  const Offer* found = nullptr;
  for (const Offer& offer : offers)
    if ((found == nullptr || offer.choose_first) && !names(list, offer.encoding)) found = &offer;
  return found;
}

const Offer* named(std::string_view name, std::span<const Offer> offers) noexcept {
  const auto found = std::find_if(offers.begin(), offers.end(), [name](const Offer& offer) {
    return is_token(name, offer.encoding);
  });
  return found == offers.end() ? nullptr : &*found;
}

}  // namespace

Choice choose_encoding(std::string_view accept_encoding, std::span<const Offer> offers) {
  Choice best{Choice::Why::kNotValid, {}};
  int best_weight = 0;
  const Offer* first =
      nullptr;  // of those with the best weight, the last that wants to be chosen first
  bool wildcard_seen = false;  // it is looked at once: what it means takes a walk over the list
  for (std::string_view rest = accept_encoding; !rest.empty();) {
    const auto element = next_element(rest);
    if (!element || element->weight == 0 || element->weight < best_weight) continue;
    const bool wildcard = element->name == "*";
    if (wildcard && std::exchange(wildcard_seen, true)) continue;
    const Offer* offer = wildcard ? unnamed(accept_encoding, offers) : named(element->name, offers);
    const bool identity = is_token(element->name, "identity");
    if (offer == nullptr && !identity) continue;
    const bool better = element->weight > best_weight;
    if (better) first = nullptr;
    const bool wants =
        offer != nullptr && offer->choose_first && (first == nullptr || offer > first);
    if (!better && !wants) continue;
    best_weight = element->weight;
    if (wants) first = offer;
    best = offer == nullptr
               ? Choice{Choice::Why::kIdentity, {}}
               : Choice{wildcard ? Choice::Why::kWildcard : Choice::Why::kNamed, offer->encoding};
  }
  return best;
}

}  // namespace weir::filters
