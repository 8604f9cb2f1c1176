// Scalars as protobuf's JSON form writes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::config {

/// "1.5s", "250ms", "2m", "1h", "10us", "5ns". Null: not a duration, negative, or beyond 100 years.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// Decimal, also "5.0" and "1e3" (protobuf takes whole floats); no leading zeros.
std::optional<int64_t> parse_integer(std::string_view text);
/// Finite decimals.
std::optional<double> parse_number(std::string_view text);
/// Standard or URL alphabet, padding optional.
std::optional<std::string> parse_base64(std::string_view text);
/// True if the text is a number in JSON's grammar.
bool is_json_number(std::string_view text) noexcept;

}  // namespace weir::config
