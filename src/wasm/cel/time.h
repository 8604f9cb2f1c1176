// Times of expressions: texts and parts of them. Nanoseconds, of timestamps since 1970; UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::wasm::cel {

/// "1h30m", "-1.5s"; units h, m, s, ms, us, ns.
std::optional<int64_t> parse_duration(std::string_view text) noexcept;
/// RFC 3339. Years that nanoseconds of 64 bits reach: 1678 to 2261.
std::optional<int64_t> parse_timestamp(std::string_view text) noexcept;
std::string duration_text(int64_t nanoseconds);   // "1.5s"
std::string timestamp_text(int64_t nanoseconds);  // "2024-02-29T12:00:00.5Z"
/// Rounded down.
int64_t whole_seconds(int64_t nanoseconds) noexcept;

enum class TimePart : uint8_t {
  kYear,
  kMonth,       // from 0
  kDate,        // from 1
  kDayOfMonth,  // from 0
  kDayOfWeek,   // Sunday is 0
  kDayOfYear,   // from 0
  kHours,
  kMinutes,
  kSeconds,
  kMilliseconds,
};
std::optional<int64_t> part_of_timestamp(int64_t nanoseconds, TimePart part) noexcept;
/// The whole of it in this unit, of milliseconds those beyond the second; nothing for parts of a date.
std::optional<int64_t> part_of_duration(int64_t nanoseconds, TimePart part) noexcept;

}  // namespace weir::wasm::cel
