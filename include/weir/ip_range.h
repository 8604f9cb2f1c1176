// IpRange: Envoy's core.v3.CidrRange.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <weir/address_text.h>
#include <weir/config_view.h>

namespace weir {

/// A prefix of IPv4 or IPv6 addresses. The bits behind the prefix do not count.
class IpRange {
 public:
  /// Reads the message itself (address_prefix, prefix_len: 0 if absent). Mistakes are reported on `view`.
  static IpRange read(ConfigView& view);
  /// Nothing if `address` is no IP address or `length` is too long for it.
  static std::optional<IpRange> make(std::string_view address, unsigned length);
  IpRange() = default;  // contains nothing
  /// `ip` is the text of an address, without port; what is none is in no range.
  bool contains(std::string_view ip) const noexcept;

 private:
  unsigned family_bits_ = 0;  // 32 or 128; 0: nothing
  unsigned length_ = 0;
  std::array<uint8_t, 16> prefix_{};
};

}  // namespace weir
