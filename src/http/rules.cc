#include "http/rules.h"

#include <algorithm>
#include <array>
#include <memory>
#include <arpa/inet.h>

#include "base/strings.h"
#include "http/chars.h"

namespace weir::http {
namespace {

constexpr size_t kMaxNominations = 64;  // bounds the work of strip_hop_by_hop

bool valid_port(std::string_view port) noexcept {
  if (port.empty() || port.size() > 5) return false;
  unsigned value = 0;
  for (const char c : port) {
    if (!base::is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value >= 1 && value <= 65535;
}

bool valid_ipv6(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN + 1> zero_terminated{};
  if (text.size() >= zero_terminated.size()) return false;
  std::copy(text.begin(), text.end(), zero_terminated.begin());
  in6_addr address;
  return inet_pton(AF_INET6, zero_terminated.data(), &address) == 1;
}

/// Fields that a Connection header must not take away: framing, routing, and what proxies vouch for.
bool must_not_nominate(std::string_view token) noexcept {
  constexpr std::string_view kForwarded = "x-forwarded-";
  return chars::equals_lower(token, "host") || chars::equals_lower(token, "content-length") ||
         (token.size() > kForwarded.size() &&
          chars::equals_lower(token.substr(0, kForwarded.size()), kForwarded));
}

/// What Connection fields name; nearly always nothing.
struct Nominations {
  std::unique_ptr<std::array<std::string_view, kMaxNominations>> names;
  size_t count = 0;
};

Result<void> collect_nominations(std::string_view list, Nominations& out) {
  while (!list.empty()) {
    const std::string_view token = chars::next_element(list);
    if (token.empty() || chars::equals_lower(token, "close") ||
        chars::equals_lower(token, "keep-alive"))
      continue;
    if (!valid_header_name(token))
      return fail(Code::kProtocol, Side::kDownstream, "invalid connection header");
    if (must_not_nominate(token))
      return fail(Code::kProtocol, Side::kDownstream, "connection header names a protected field");
    if (out.count == kMaxNominations)
      return fail(Code::kProtocol, Side::kDownstream, "connection header names too many fields");
    // "te" has its own rule: "Connection: te" accompanies "te: trailers", which stays.
    if (chars::equals_lower(token, "te")) continue;
    if (out.names == nullptr)
      out.names = std::make_unique<std::array<std::string_view, kMaxNominations>>();
    (*out.names)[out.count++] = token;
  }
  return {};
}

bool asks_for_trailers(std::string_view list) noexcept {
  while (!list.empty()) {
    const std::string_view element = chars::next_element(list);
    if (chars::equals_lower(chars::trim(element.substr(0, element.find(';'))), "trailers"))
      return true;
  }
  return false;
}

bool always_hop_by_hop(HeaderId id) noexcept {
  switch (id) {
    case HeaderId::kConnection:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTransferEncoding:
    case HeaderId::kUpgrade:
    case HeaderId::kHttp2Settings:
      return true;
    default:
      return false;
  }
}

struct Reason {
  int status;
  std::string_view text;
};
constexpr Reason kKnownReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Entity"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
};
constexpr int kFirstStatus = 100;
constexpr std::array<std::string_view, 500> kReasons = [] {
  std::array<std::string_view, 500> table{};
  for (const Reason& reason : kKnownReasons) {
    table[static_cast<size_t>(reason.status - kFirstStatus)] = reason.text;
  }
  return table;
}();

}  // namespace

bool valid_header_name(std::string_view name) noexcept {
  return !name.empty() && chars::all(name, chars::kToken);
}
bool valid_header_value(std::string_view value) noexcept { return chars::all_value(value); }
bool valid_method(std::string_view method) noexcept { return valid_header_name(method); }

bool valid_authority(std::string_view authority) noexcept {
  if (authority.empty()) return false;
  if (authority.front() == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos || !valid_ipv6(authority.substr(1, close - 1)))
      return false;
    const std::string_view rest = authority.substr(close + 1);
    return rest.empty() || (rest.front() == ':' && valid_port(rest.substr(1)));
  }
  size_t end = 0;
  while (end < authority.size() && chars::is(authority[end], chars::kHost)) ++end;
  if (end == 0) return false;
  return end == authority.size() ||
         (authority[end] == ':' && valid_port(authority.substr(end + 1)));
}

Result<void> strip_hop_by_hop(HeaderMap& headers, UpgradeField upgrade) {
  Nominations nominated;
  bool any = false;
  bool trailers = false;
  for (const HeaderMap::Entry& entry : headers) {
    if (entry.id == HeaderId::kOther) continue;
    if (entry.id == HeaderId::kConnection) {
      WEIR_CHECKED(collect_nominations(entry.value, nominated));
    } else if (entry.id == HeaderId::kTe) {
      trailers = trailers || asks_for_trailers(entry.value);
      any = true;
    }
    any = any || always_hop_by_hop(entry.id);
  }
  if (!any) return {};
  const bool keep_upgrade = upgrade == UpgradeField::kKeep;
  headers.remove_if([&nominated, keep_upgrade](const HeaderMap::Entry& entry) {
    if (entry.id == HeaderId::kUpgrade && keep_upgrade) return false;
    if (always_hop_by_hop(entry.id) || entry.id == HeaderId::kTe) return true;
    for (size_t i = 0; i < nominated.count; ++i) {
      if (chars::equals_lower((*nominated.names)[i], entry.name)) return true;
    }
    return false;
  });
  // One "te: trailers" stays, whatever else was asked for.
  if (trailers) headers.add(HeaderId::kTe, "trailers");
  return {};
}

bool parse_content_length(std::string_view text, uint64_t& out) noexcept {
  constexpr size_t kMaxDigits = 19;
  if (text.empty() || text.size() > kMaxDigits || !chars::all(text, chars::kDigit)) return false;
  uint64_t value = 0;  // 19 digits fit into 64 bits
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  if (value > static_cast<uint64_t>(INT64_MAX)) return false;
  out = value;
  return true;
}

bool forbidden_in_trailers(HeaderId id, std::string_view name) noexcept {
  switch (id) {
    case HeaderId::kAuthorization:
    case HeaderId::kCacheControl:
    case HeaderId::kConnection:
    case HeaderId::kContentEncoding:
    case HeaderId::kContentLength:
    case HeaderId::kContentType:
    case HeaderId::kCookie:
    case HeaderId::kExpect:
    case HeaderId::kHost:
    case HeaderId::kHttp2Settings:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyAuthenticate:
    case HeaderId::kProxyAuthorization:
    case HeaderId::kProxyConnection:
    case HeaderId::kRange:
    case HeaderId::kSetCookie:
    case HeaderId::kTe:
    case HeaderId::kTrailer:
    case HeaderId::kTransferEncoding:
    case HeaderId::kUpgrade:
    case HeaderId::kWwwAuthenticate:
      return true;
    case HeaderId::kOther:
      return name == "content-range" || name == "max-forwards" || name == "pragma";
    default:
      return false;
  }
}

std::string_view reason_phrase(int status) noexcept {
  const auto index = static_cast<unsigned>(status - kFirstStatus);
  return index < kReasons.size() && !kReasons[index].empty() ? kReasons[index] : "Unknown";
}

}  // namespace weir::http
