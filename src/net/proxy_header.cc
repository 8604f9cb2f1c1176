#include "net/proxy_header.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "net/cidr.h"

namespace weir::net {

namespace {

constexpr std::string_view kV1Begin = "PROXY ";
constexpr size_t kV1Max = 107;  // with CR LF
constexpr std::string_view kV2Signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kV2Fixed = 16;
constexpr uint8_t kTlvNoop = 0x04;

uint8_t byte_at(std::string_view text, size_t at) noexcept {
  return static_cast<uint8_t>(text[at]);
}
uint16_t number_at(std::string_view text, size_t at) noexcept {
  return static_cast<uint16_t>(byte_at(text, at) << 8 | byte_at(text, at + 1));
}

bool begins_like(std::string_view bytes, std::string_view mark) noexcept {
  const size_t n = std::min(bytes.size(), mark.size());
  return bytes.substr(0, n) == mark.substr(0, n);
}

// ---- version 1 ----------------------------------------------------------------------------------------------------------

// Digits alone, no leading zero, 0..65535.
bool read_port(std::string_view text, uint16_t& port) noexcept {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
  const auto value = base::parse_u64(text);
  if (!value || *value > 65535) return false;
  port = static_cast<uint16_t>(*value);
  return true;
}

bool read_v1(std::string_view line, ProxyHeader& out) {
  const auto parts = base::split(line, ' ');
  if (parts.size() >= 2 && parts[1] == "UNKNOWN") {
    out.local = true;
    return true;
  }
  uint16_t from = 0, to = 0;
  if (parts.size() != 6 || !read_port(parts[4], from) || !read_port(parts[5], to)) return false;
  auto source = Address::ip(parts[2], from);
  auto destination = Address::ip(parts[3], to);
  if (!source || !destination) return false;
  if (parts[1] != "TCP4" && parts[1] != "TCP6") return false;
  // By its text: TCP6 may carry ::ffff:1.2.3.4, which is an IPv4 address.
  const auto suits = [six = parts[1] == "TCP6"](std::string_view text) {
    return (text.find(':') != std::string_view::npos) == six;
  };
  if (!suits(parts[2]) || !suits(parts[3])) return false;
  out.source = *source;
  out.destination = *destination;
  return true;
}

ProxyParse parse_v1(std::string_view bytes, ProxyHeader& out) {
  out.version = ProxyVersion::kV1;
  const std::string_view window = bytes.substr(0, kV1Max);
  const size_t end = window.find("\r\n");
  if (end == std::string_view::npos)
    return window.size() == kV1Max ? ProxyParse::kInvalid : ProxyParse::kMore;
  out.size = end + 2;
  return read_v1(window.substr(0, end), out) ? ProxyParse::kDone : ProxyParse::kInvalid;
}

// ---- version 2 ----------------------------------------------------------------------------------------------------------

Address ip_from(std::string_view bytes, uint16_t port) {
  if (bytes.size() == 4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, bytes.data(), 4);
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, bytes.data(), 16);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

bool read_v2(std::string_view header, ProxyHeader& out) {
  const unsigned command = byte_at(header, 12) & 0xfu;
  const uint8_t family = byte_at(header, 13);
  const std::string_view payload = header.substr(kV2Fixed);
  if (command > 1) return false;
  if (command == 0 || family == 0) {
    out.local = true;  // LOCAL: whatever follows says nothing of this connection
    return true;
  }
  if (family != 0x11 && family != 0x21)
    return false;  // datagrams and Unix sockets come from nobody
  const size_t ip = family == 0x11 ? 4 : 16;
  if (payload.size() < 2 * ip + 4) return false;
  out.source = ip_from(payload.substr(0, ip), number_at(payload, 2 * ip));
  out.destination = ip_from(payload.substr(ip, ip), number_at(payload, 2 * ip + 2));
  return read_tlvs(payload.substr(2 * ip + 4), out.tlvs);
}

ProxyParse parse_v2(std::string_view bytes, ProxyHeader& out) {
  out.version = ProxyVersion::kV2;
  if (bytes.size() > 12 && byte_at(bytes, 12) >> 4 != 2) return ProxyParse::kInvalid;
  if (bytes.size() < kV2Fixed) return ProxyParse::kMore;
  out.size = kV2Fixed + number_at(bytes, 14);
  if (bytes.size() < out.size) return ProxyParse::kMore;
  return read_v2(bytes.substr(0, out.size), out) ? ProxyParse::kDone : ProxyParse::kInvalid;
}

// ---- writing ------------------------------------------------------------------------------------------------------------

void put_number(std::string& out, size_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

/// IPv4, or IPv6 where one of the two is: then the other is mapped.
enum class Family : uint8_t { kUnknown, kV4, kV6 };

Family common_family(const Address& source, const Address& destination) noexcept {
  const uint8_t from = ip_bytes(source).size, to = ip_bytes(destination).size;
  if (from == 0 || to == 0) return Family::kUnknown;
  return from == 4 && to == 4 ? Family::kV4 : Family::kV6;
}

void put_ip(std::string& out, const Address& address, Family family) {
  const IpBytes ip = ip_bytes(address);
  if (ip.size == 4 && family == Family::kV6) out.append(10, '\0').append(2, '\xff');
  out.append(reinterpret_cast<const char*>(ip.bytes.data()), ip.size);
}

std::string ip_text(const Address& address, Family family) {
  const bool mapped = family == Family::kV6 && !address.is_ipv6();
  return base::concat(mapped ? "::ffff:" : "", address.ip_text());
}

}  // namespace

void append_tlv(std::string& out, const ProxyTlv& tlv) {
  out += static_cast<char>(tlv.type);
  put_number(out, tlv.value.size());
  out += tlv.value;
}

bool read_tlvs(std::string_view rest, std::vector<ProxyTlv>& out) {
  while (!rest.empty()) {
    if (rest.size() < 3) return false;
    const size_t size = number_at(rest, 1);
    if (rest.size() - 3 < size) return false;
    if (byte_at(rest, 0) != kTlvNoop)
      out.push_back({byte_at(rest, 0), std::string(rest.substr(3, size))});
    rest.remove_prefix(3 + size);
  }
  return true;
}

ProxyParse parse_proxy_header(std::string_view bytes, ProxyHeader& out) {
  out = ProxyHeader();
  if (bytes.empty()) return ProxyParse::kMore;
  const bool v1 = begins_like(bytes, kV1Begin);
  if (!v1 && !begins_like(bytes, kV2Signature)) return ProxyParse::kNone;
  if (bytes.size() < (v1 ? kV1Begin : kV2Signature).size()) return ProxyParse::kMore;
  return v1 ? parse_v1(bytes, out) : parse_v2(bytes, out);
}

std::string proxy_header_v1(const Address& source, const Address& destination) {
  const Family family = common_family(source, destination);
  if (family == Family::kUnknown) return "PROXY UNKNOWN\r\n";
  return base::concat("PROXY ", family == Family::kV4 ? "TCP4 " : "TCP6 ", ip_text(source, family),
                      " ", ip_text(destination, family), " ", source.port(), " ",
                      destination.port(), "\r\n");
}

std::string proxy_header_v2(const Address& source, const Address& destination,
                            const std::vector<ProxyTlv>& tlvs) {
  const Family family = common_family(source, destination);
  const bool known = family != Family::kUnknown;
  std::string payload;
  if (known) {
    put_ip(payload, source, family);
    put_ip(payload, destination, family);
    put_number(payload, source.port());
    put_number(payload, destination.port());
  }
  for (const ProxyTlv& tlv : tlvs) {
    if (payload.size() + 3 + tlv.value.size() > 65535) break;
    append_tlv(payload, tlv);
  }
  std::string out(kV2Signature);
  out += known ? '\x21' : '\x20';
  out += !known ? '\x00' : family == Family::kV4 ? '\x11' : '\x21';
  put_number(out, payload.size());
  return out + payload;
}

}  // namespace weir::net
