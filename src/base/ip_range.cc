#include <weir/ip_range.h>

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <string>

#include "base/strings.h"

namespace weir {

namespace {

constexpr size_t kLongestAddress = INET6_ADDRSTRLEN;

/// 32 or 128; 0: no IP address.
unsigned parse(std::string_view text, std::array<uint8_t, 16>& out) noexcept {
  char terminated[kLongestAddress + 1];
  if (text.size() > kLongestAddress) return 0;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  if (::inet_pton(AF_INET, terminated, out.data()) == 1) return 32;
  if (::inet_pton(AF_INET6, terminated, out.data()) == 1) return 128;
  return 0;
}

}  // namespace

IpRange IpRange::read(ConfigView& view) {
  const std::string address = view.required_text("address_prefix");
  const auto length = static_cast<unsigned>(view.integer("prefix_len", 0, 0, 128));
  if (address.empty()) return {};
  auto range = make(address, length);
  if (range) return *range;
  if (make(address, 0))
    view.error("prefix_len", "is too long for an IPv4 address");
  else
    view.error("address_prefix", "is no IP address");
  return {};
}

std::optional<IpRange> IpRange::make(std::string_view address, unsigned length) {
  IpRange range;
  range.family_bits_ = parse(address, range.prefix_);
  range.length_ = length;
  if (range.family_bits_ == 0 || length > range.family_bits_) return std::nullopt;
  return range;
}

bool IpRange::contains(std::string_view ip) const noexcept {
  std::array<uint8_t, 16> bytes{};
  if (family_bits_ == 0 || parse(ip, bytes) != family_bits_) return false;
  const unsigned whole = length_ / 8;
  if (std::memcmp(bytes.data(), prefix_.data(), whole) != 0) return false;
  const unsigned rest = length_ % 8;
  return rest == 0 || (bytes[whole] ^ prefix_[whole]) >> (8 - rest) == 0;
}

std::string_view ip_of(std::string_view address) noexcept {
  if (address.starts_with('[')) {
    const size_t end = address.find(']');
    return end == std::string_view::npos ? std::string_view() : address.substr(1, end - 1);
  }
  // A path may have a colon too ("@name:1").
  size_t end = 0;
  while (end < address.size() && (base::is_digit(address[end]) || address[end] == '.')) ++end;
  return end < address.size() && address[end] == ':' ? address.substr(0, end) : std::string_view();
}

uint16_t port_of(std::string_view address) noexcept {
  const size_t colon = address.rfind(':');
  if (ip_of(address).empty() || colon == std::string_view::npos) return 0;
  uint16_t port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return port;
}

}  // namespace weir
