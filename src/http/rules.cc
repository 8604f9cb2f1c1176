#include "http/rules.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

#include "http/chars.h"

namespace weir::http {
namespace {

constexpr size_t kMaxNominations = 64;  // bounds the work of strip_hop_by_hop

bool valid_port(std::string_view port) noexcept {
  if (port.empty() || port.size() > 5 || !chars::all(port, chars::kDigit)) return false;
  unsigned value = 0;
  for (const char c : port) value = value * 10 + static_cast<unsigned>(c - '0');
  return value >= 1 && value <= 65535;
}

bool valid_ipv6(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN + 1> zero_terminated{};
  if (text.size() >= zero_terminated.size()) return false;
  std::copy(text.begin(), text.end(), zero_terminated.begin());
  in6_addr address;
  return inet_pton(AF_INET6, zero_terminated.data(), &address) == 1;
}

/// Fields that a Connection header must not take away (H1-26): framing, routing, and what proxies vouch for.
bool must_not_nominate(std::string_view token) noexcept {
  constexpr std::string_view kForwarded = "x-forwarded-";
  return chars::equals_lower(token, "host") || chars::equals_lower(token, "content-length") ||
         (token.size() > kForwarded.size() && chars::equals_lower(token.substr(0, kForwarded.size()), kForwarded));
}

struct Nominations {
  std::array<std::string_view, kMaxNominations> names;
  size_t count = 0;
};

Result<void> collect_nominations(std::string_view list, Nominations& out) {
  while (!list.empty()) {
    const std::string_view token = chars::next_element(list);
    if (token.empty() || chars::equals_lower(token, "close") || chars::equals_lower(token, "keep-alive")) continue;
    if (!valid_header_name(token)) return fail(Code::kProtocol, Side::kDownstream, "invalid connection header");
    if (must_not_nominate(token))
      return fail(Code::kProtocol, Side::kDownstream, "connection header names a protected field");
    if (out.count == kMaxNominations)
      return fail(Code::kProtocol, Side::kDownstream, "connection header names too many fields");
    // "te" has its own rule: "Connection: te" accompanies "te: trailers", which stays.
    if (!chars::equals_lower(token, "te")) out.names[out.count++] = token;
  }
  return {};
}

bool asks_for_trailers(std::string_view list) noexcept {
  while (!list.empty()) {
    const std::string_view element = chars::next_element(list);
    if (chars::equals_lower(chars::trim(element.substr(0, element.find(';'))), "trailers")) return true;
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
    case HeaderId::kHttp2Settings: return true;
    default: return false;
  }
}

}  // namespace

bool valid_header_name(std::string_view name) noexcept { return !name.empty() && chars::all(name, chars::kToken); }
bool valid_header_value(std::string_view value) noexcept { return chars::all(value, chars::kValue); }
bool valid_method(std::string_view method) noexcept { return valid_header_name(method); }

bool valid_authority(std::string_view authority) noexcept {
  if (authority.empty()) return false;
  if (authority.front() == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos || !valid_ipv6(authority.substr(1, close - 1))) return false;
    const std::string_view rest = authority.substr(close + 1);
    return rest.empty() || (rest.front() == ':' && valid_port(rest.substr(1)));
  }
  const size_t colon = authority.find(':');
  const std::string_view host = authority.substr(0, colon);
  if (host.empty() || !chars::all(host, chars::kHost)) return false;
  return colon == std::string_view::npos || valid_port(authority.substr(colon + 1));
}

Result<void> strip_hop_by_hop(HeaderMap& headers) {
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
  headers.remove_if([&nominated](const HeaderMap::Entry& entry) {
    if (always_hop_by_hop(entry.id) || entry.id == HeaderId::kTe) return true;
    for (size_t i = 0; i < nominated.count; ++i) {
      if (chars::equals_lower(nominated.names[i], entry.name)) return true;
    }
    return false;
  });
  // One "te: trailers" stays, whatever else was asked for.
  if (trailers) headers.add(HeaderId::kTe, "trailers");
  return {};
}

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 208: return "Already Reported";
    case 226: return "IM Used";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 305: return "Use Proxy";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Entity";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 510: return "Not Extended";
    case 511: return "Network Authentication Required";
    default: return "Unknown";
  }
}

}  // namespace weir::http
