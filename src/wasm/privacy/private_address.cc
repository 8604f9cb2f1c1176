// Addresses of clients with only their network.
#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <weir/ip_range.h>

#include "base/strings.h"
#include "wasm/privacy/private_field.h"

namespace weir::wasm {
namespace {

template <int family, size_t bytes, size_t kept>
std::optional<std::string> network(const char* text) {
  unsigned char address[bytes];
  char out[INET6_ADDRSTRLEN];
  if (::inet_pton(family, text, address) != 1) return std::nullopt;
  std::memset(address + kept, 0, bytes - kept);
  return std::string(::inet_ntop(family, address, out, sizeof out));
}

std::optional<std::string> masked_ip(std::string_view ip) {
  char text[INET6_ADDRSTRLEN];
  if (ip.size() >= sizeof text) return std::nullopt;
  ip.copy(text, ip.size());
  text[ip.size()] = '\0';
  if (auto v4 = network<AF_INET, 4, 3>(text)) return v4;
  return network<AF_INET6, 16, 6>(text);
}

/// Up to `mark` outside of quotes; that is taken too. Null: a quote has no end.
std::optional<std::string_view> take_until(std::string_view& rest, std::string_view marks) {
  bool quoted = false;
  for (size_t i = 0; i < rest.size(); ++i) {
    if (quoted && rest[i] == '\\') {
      ++i;
    } else if (rest[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && marks.find(rest[i]) != std::string_view::npos) {
      const std::string_view found = rest.substr(0, i);
      rest.remove_prefix(i);
      return found;
    }
  }
  if (quoted) return std::nullopt;
  return std::exchange(rest, {});
}

}  // namespace

std::string masked_address(std::string_view address) {
  if (base::iequals(address, "unknown")) return std::string(address);
  if (const auto ip = masked_ip(address)) return *ip;
  const std::string_view inside = ip_of(address);
  if (const auto ip = masked_ip(inside)) {
    const bool brackets = address.starts_with('[');
    const bool port = address.size() > inside.size() + (brackets ? 2 : 0);
    return base::concat(brackets ? "[" : "", *ip, brackets ? "]" : "", port ? ":0" : "");
  }
  return std::string(kMask);
}

std::string masked_addresses(std::string_view value) {
  std::string out;
  for (const std::string_view item : base::split(value, ','))
    base::append_all(out, out.empty() ? "" : ", ", masked_address(base::trim(item)));
  return out;
}

/// RFC 7239: "for=192.0.2.43;proto=https, for=\"[2001:db8::1]:80\"".
std::string masked_forwarded(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    const auto pair = take_until(value, ";,");
    if (!pair) return std::string(kMask);
    const size_t at = std::min(pair->find('='), pair->size());
    if (base::iequals(base::trim(pair->substr(0, at)), "for") || at == pair->size()) {
      std::string_view node = base::trim(pair->substr(std::min(at + 1, pair->size())));
      if (node.size() > 1 && node.front() == '"' && node.back() == '"')
        node = node.substr(1, node.size() - 2);
      const std::string masked = masked_address(node);
      const bool quotes = masked.find(':') != std::string::npos;
      base::append_all(out, pair->starts_with(' ') ? " for=" : "for=", quotes ? "\"" : "", masked,
                       quotes ? "\"" : "");
    } else {
      out += *pair;
    }
    if (!value.empty()) {
      out += value.front();
      value.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace weir::wasm
