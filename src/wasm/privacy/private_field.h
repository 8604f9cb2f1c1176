// The values of header fields as guests see them under privacy, and what becomes of what guests write there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wasm/privacy/privacy.h"

namespace weir::wasm {

/// One field: its name in lower case, and in which direction it goes.
struct FieldName {
  Direction side;
  std::string_view lower;
};

/// What a guest sees of the value; null: nothing of the field. The text is the value's own, or stands in `made`.
std::optional<std::string_view> seen_value(const Privacy& privacy, FieldName field,
                                           std::string_view value, std::string& made);

/// The values that the fields of one name get when a guest writes `given` in the place of `originals`. What the guest cannot
/// see stays, what it writes of that is left out, and a mask that it writes back means what stood there.
struct WrittenValues {
  std::vector<std::string> values;
  bool refused = false;  // something that the guest wrote was left out
};
WrittenValues written_values(const Privacy& privacy, FieldName field,
                             const std::vector<std::string_view>& originals,
                             const std::vector<std::string_view>& given);

/// An address with only its network, in the form that it had, its port 0: "10.1.2.3:80" is "10.1.2.0:0". IPv4 keeps 24 bits,
/// IPv6 48. What is no IP address becomes the mask; "unknown" stays.
std::string masked_address(std::string_view address);
/// Likewise each of a list, as x-forwarded-for has it.
std::string masked_addresses(std::string_view list);
/// Likewise the clients of RFC 7239's field; all of it is a mask where it is malformed.
std::string masked_forwarded(std::string_view value);

}  // namespace weir::wasm
