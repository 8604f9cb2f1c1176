#include "wasm/privacy/privacy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "base/strings.h"

namespace weir::wasm {
namespace {

/// Fields in which proxies and servers tell each other who the client is. Sorted.
constexpr std::array<std::string_view, 28> kAddressFields = {
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "client-ip",
    "do-connecting-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "proxy-client-ip",
    "true-client-ip",
    "wl-proxy-client-ip",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-forwarded-for",
    "x-nf-client-connection-ip",
    "x-original-forwarded-for",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-vercel-forwarded-for",
};
static_assert(std::is_sorted(kAddressFields.begin(), kAddressFields.end()));

/// Fields that hold the request's URL, another one that has been asked for, or the one to ask for next. Sorted.
constexpr std::array<std::string_view, 11> kUrlFields = {
    ":path",          "content-location",      "location",        "referer",
    "refresh",        "x-envoy-original-path", "x-forwarded-uri", "x-original-uri",
    "x-original-url", "x-request-uri",         "x-rewrite-url",
};
static_assert(std::is_sorted(kUrlFields.begin(), kUrlFields.end()));

template <size_t n>
bool has(const std::array<std::string_view, n>& sorted, std::string_view name) noexcept {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

/// As servers read it: a name may be escaped in many ways.
std::string decoded(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '+', ' ');
  return base::percent_decode(out);
}

}  // namespace

// ---- NameRules --------------------------------------------------------------------------------------

NameRules NameRules::read(ConfigView& parent, std::string_view field,
                          StringMatcher (*matcher)(ConfigView& view)) {
  NameRules rules;
  const auto view = parent.message(field);
  if (!view) return rules;
  const auto read_list = [&view, matcher](std::string_view name) {
    List list;
    for (const auto& one : view->messages(name)) list.push_back(matcher(*one));
    return list;
  };
  rules.hide_ = read_list("hide");
  rules.mask_ = read_list("mask");
  if (view->has("allow_only")) rules.allow_only_ = read_list("allow_only");
  return rules;
}

bool NameRules::matches(const List& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [name](const StringMatcher& one) { return one.matches(name); });
}

Sight NameRules::sight(std::string_view name) const {
  if (hides(name) || !allows(name)) return Sight::kHidden;
  return masks(name) ? Sight::kMasked : Sight::kShown;
}

void NameRules::append_text(std::string& out) const {
  const auto put = [&out](char mark, const List& list) {
    base::append_all(out, mark, list.size(), ';');
    for (const StringMatcher& one : list) {
      const std::string text = one.describe();
      base::append_all(out, text.size(), ':', text);
    }
  };
  put('h', hide_);
  put('m', mask_);
  if (allow_only_) put('a', *allow_only_);
}

std::string NameRules::json() const {
  std::string out;
  base::JsonWriter json(out);
  const auto put = [&json](std::string_view name, const List& list) {
    json.key(name).begin_array();
    for (const StringMatcher& one : list) json.text(one.describe());
    json.end_array();
  };
  json.begin_object();
  if (!hide_.empty()) put("hide", hide_);
  if (!mask_.empty()) put("mask", mask_);
  if (allow_only_) put("allow_only", *allow_only_);
  json.end_object();
  return out;
}

// ---- Privacy ----------------------------------------------------------------------------------------

std::shared_ptr<const Privacy> Privacy::read(ConfigView& plugin) {
  const auto view = plugin.message("privacy");
  if (!view) return nullptr;
  const auto with = &StringMatcher::read;
  const auto without =
      &StringMatcher::read_without_case;  // headers have no case; properties get none either
  auto out = std::make_unique<Privacy>();
  out->request_headers_ = NameRules::read(*view, "request_headers", without);
  out->response_headers_ = NameRules::read(*view, "response_headers", without);
  out->cookies_ = NameRules::read(*view, "cookies", with);
  out->query_parameters_ = NameRules::read(*view, "query_parameters", with);
  out->properties_ = NameRules::read(*view, "properties", without);
  out->client_address_ =
      static_cast<ClientAddress>(view->enumeration("client_address", {"SHOW", "HIDE", "MASK"}, 0));
  if (out->empty()) return nullptr;
  out->describe();
  return std::shared_ptr<const Privacy>(std::move(out));
}

bool Privacy::empty() const noexcept {
  return request_headers_.empty() && response_headers_.empty() && cookies_.empty() &&
         query_parameters_.empty() && properties_.empty() &&
         client_address_ == ClientAddress::kShow;
}

void Privacy::describe() {
  base::JsonWriter json(json_);
  json.begin_object();
  const auto put = [this, &json](std::string_view name, const NameRules& rules) {
    base::append_all(text_, name, '{');
    rules.append_text(text_);
    text_ += '}';
    if (!rules.empty()) json.key(name).raw(rules.json());
  };
  put("request_headers", request_headers_);
  put("response_headers", response_headers_);
  put("cookies", cookies_);
  put("query_parameters", query_parameters_);
  put("properties", properties_);
  constexpr std::string_view kNames[] = {"SHOW", "HIDE", "MASK"};
  const std::string_view address = kNames[static_cast<size_t>(client_address_)];
  text_ += address;
  if (client_address_ != ClientAddress::kShow) json.key("client_address").text(address);
  json.end_object();
}

Sight Privacy::field(Direction side, std::string_view lower) const {
  const bool request = side == Direction::kRequest;
  const NameRules& rules = request ? request_headers_ : response_headers_;
  Sight sight = Sight::kShown;
  if (!rules.empty()) {
    const bool host = request && (lower == ":authority" || lower == "host");
    sight = host ? rules.sight({":authority", "host"}) : rules.sight(lower);
  }
  if (client_address_ == ClientAddress::kHide && has(kAddressFields, lower)) return Sight::kHidden;
  return sight;
}

Privacy::Content Privacy::content(std::string_view lower) const noexcept {
  if (!cookies_.empty()) {
    if (lower == "cookie") return Content::kCookies;
    if (lower == "set-cookie") return Content::kSetCookie;
  }
  if (!query_parameters_.empty() && has(kUrlFields, lower)) return Content::kUrl;
  if (client_address_ == ClientAddress::kMask && has(kAddressFields, lower))
    return lower == "forwarded" || lower == "x-forwarded" ? Content::kForwarded
                                                          : Content::kAddresses;
  return Content::kPlain;
}

Sight Privacy::query_parameter(std::string_view name) const {
  if (name.find_first_of("%+") == std::string_view::npos) return query_parameters_.sight(name);
  return query_parameters_.sight(decoded(name));
}

bool Privacy::touches_fields(Direction side) const noexcept {
  const NameRules& rules = side == Direction::kRequest ? request_headers_ : response_headers_;
  return !rules.empty() || !cookies_.empty() || !query_parameters_.empty() ||
         client_address_ != ClientAddress::kShow;
}

}  // namespace weir::wasm
