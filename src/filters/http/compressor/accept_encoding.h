// Which coding a response gets, by the request's accept-encoding (RFC 9110 section 12.5.3).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::filters {

/// A coding that a compressor of the chain offers.
struct Offer {
  std::string_view encoding;  // lower case
  bool choose_first = false;  // wins where the client likes several equally
};

struct Choice {
  enum class Why : uint8_t {
    kIdentity,  // the client likes no coding best
    kNotValid,  // it takes none of the offers
    kNamed,     // it named the coding
    kWildcard   // it said "*"
  };
  Why why;
  std::string_view encoding;  // of the offers; empty unless kNamed or kWildcard
};

/// The offer with the highest weight; of equal ones the last that wants to be first, or what the client named first.
/// An element that cannot be read is left out.
Choice choose_encoding(std::string_view accept_encoding, std::span<const Offer> offers);

}  // namespace weir::filters
