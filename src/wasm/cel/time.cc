#include "wasm/cel/time.h"

#include <algorithm>
#include <chrono>

#include "base/strings.h"

namespace weir::wasm::cel {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr int64_t kSecond = 1000000000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kMillisecond = 1000000;
constexpr size_t kFractionDigits = 9;

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};
constexpr Unit kUnits[] = {{"ms", kMillisecond}, {"us", 1000},   {"ns", 1},
                           {"h", kHour},         {"m", kMinute}, {"s", kSecond}};

/// Takes digits from the front; nothing where there are none, or more than `most`.
std::optional<int64_t> take_digits(std::string_view& text, size_t most) noexcept {
  const size_t size = std::min(text.find_first_not_of("0123456789"), text.size());
  if (size == 0 || size > most) return std::nullopt;
  const auto value = base::parse_u64(text.substr(0, size));
  text.remove_prefix(size);
  return value ? std::optional(static_cast<int64_t>(*value)) : std::nullopt;
}

bool take(std::string_view& text, std::string_view part) noexcept {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

/// The digits behind a point as parts of 10^9; more than nine are cut off.
int64_t take_fraction(std::string_view& text) noexcept {
  int64_t value = 0;
  size_t digits = 0;
  for (; !text.empty() && base::is_digit(text[0]); text.remove_prefix(1), ++digits)
    if (digits < kFractionDigits) value = value * 10 + (text[0] - '0');
  for (; digits < kFractionDigits; ++digits) value *= 10;
  return value;
}

const Unit* take_unit(std::string_view& text) noexcept {
  for (const Unit& unit : kUnits)
    if (take(text, unit.name)) return &unit;
  return nullptr;
}

/// Exactly two digits of at most `most`, with what stands before them.
std::optional<int64_t> take_two(std::string_view& text, std::string_view before,
                                int64_t most) noexcept {
  if (!take(text, before) || text.size() < 2) return std::nullopt;
  std::string_view digits = text.substr(0, 2);
  const auto value = take_digits(digits, 2);
  if (!value || !digits.empty() || *value > most) return std::nullopt;
  text.remove_prefix(2);
  return value;
}

/// "Z", "+01:00"; in nanoseconds.
std::optional<int64_t> take_zone(std::string_view& text) noexcept {
  if (take(text, "Z") || take(text, "z")) return 0;
  const bool west = text.starts_with('-');
  const auto hours = take_two(text, west ? "-" : "+", 23);
  const auto minutes = hours ? take_two(text, ":", 59) : std::nullopt;
  if (!minutes) return std::nullopt;
  return (west ? -1 : 1) * (*hours * kHour + *minutes * kMinute);
}

std::string two(int64_t value) {
  std::string text = std::to_string(value);
  return text.size() < 2 ? "0" + text : text;
}

/// ".5"; empty for none.
std::string fraction_text(int64_t nanoseconds) {
  if (nanoseconds == 0) return {};
  std::string digits = std::to_string(nanoseconds);
  digits.insert(0, kFractionDigits - digits.size(), '0');
  return "." + digits.substr(0, digits.find_last_not_of('0') + 1);
}

struct Moment {
  sys_days day;
  int64_t of_day;  // nanoseconds
};
Moment split(int64_t nanoseconds) noexcept {
  constexpr int64_t kDay = 24 * kHour;
  const int64_t rest = nanoseconds % kDay;
  const int64_t day = nanoseconds / kDay - (rest < 0 ? 1 : 0);
  return {sys_days(days(day)), rest < 0 ? rest + kDay : rest};
}

}  // namespace

std::optional<int64_t> parse_duration(std::string_view text) noexcept {
  const bool negative = take(text, "-");
  if (!negative) take(text, "+");
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  int64_t sum = 0;
  while (!text.empty()) {
    const bool bare = text[0] == '.';
    const auto whole = bare ? std::optional<int64_t>(0) : take_digits(text, 18);
    if (!whole) return std::nullopt;
    int64_t fraction = 0;
    if (take(text, ".")) {
      if (bare && (text.empty() || !base::is_digit(text[0]))) return std::nullopt;
      fraction = take_fraction(text);
    }
    const Unit* unit = take_unit(text);
    int64_t part = 0;
    if (unit == nullptr || __builtin_mul_overflow(*whole, unit->nanoseconds, &part))
      return std::nullopt;
    // 10^9 parts of an hour times its nanoseconds do not fit: in two steps, exact where it matters.
    const int64_t rest = unit->nanoseconds >= kSecond ? fraction * (unit->nanoseconds / kSecond)
                                                      : fraction * unit->nanoseconds / kSecond;
    if (__builtin_add_overflow(sum, part, &sum) || __builtin_add_overflow(sum, rest, &sum))
      return std::nullopt;
  }
  return negative ? -sum : sum;
}

std::optional<int64_t> parse_timestamp(std::string_view text) noexcept {
  if (text.size() < 4) return std::nullopt;
  std::string_view digits = text.substr(0, 4);
  const auto year = take_digits(digits, 4);
  if (!year || !digits.empty() || *year < 1678 || *year > 2261) return std::nullopt;
  text.remove_prefix(4);
  const auto month = take_two(text, "-", 12);
  const auto date = month ? take_two(text, "-", 31) : std::nullopt;
  if (!date || (!take(text, "T") && !take(text, "t"))) return std::nullopt;
  const auto hours = take_two(text, "", 23);
  const auto minutes = hours ? take_two(text, ":", 59) : std::nullopt;
  const auto seconds = minutes ? take_two(text, ":", 59) : std::nullopt;
  if (!seconds) return std::nullopt;
  int64_t fraction = 0;
  if (take(text, ".")) {
    if (text.empty() || !base::is_digit(text[0])) return std::nullopt;
    fraction = take_fraction(text);
  }
  const auto zone = take_zone(text);
  const year_month_day day{std::chrono::year(static_cast<int>(*year)),
                           std::chrono::month(static_cast<unsigned>(*month)),
                           std::chrono::day(static_cast<unsigned>(*date))};
  if (!zone || !text.empty() || !day.ok()) return std::nullopt;
  const int64_t days_since = sys_days(day).time_since_epoch().count();
  return days_since * 24 * kHour + *hours * kHour + *minutes * kMinute + *seconds * kSecond +
         fraction - *zone;
}

std::string duration_text(int64_t nanoseconds) {
  // As seconds and what is beyond them: the least of all has no positive counterpart.
  const int64_t seconds = nanoseconds / kSecond;
  const int64_t rest = nanoseconds % kSecond;
  return base::concat(nanoseconds < 0 ? "-" : "", std::to_string(seconds < 0 ? -seconds : seconds),
                      fraction_text(rest < 0 ? -rest : rest), "s");
}

std::string timestamp_text(int64_t nanoseconds) {
  const Moment moment = split(nanoseconds);
  const year_month_day day(moment.day);
  const int64_t at = moment.of_day;
  return base::concat(
      std::to_string(static_cast<int>(day.year())), '-', two(static_cast<unsigned>(day.month())),
      '-', two(static_cast<unsigned>(day.day())), 'T', two(at / kHour), ':', two(at / kMinute % 60),
      ':', two(at / kSecond % 60), fraction_text(at % kSecond), 'Z');
}

int64_t whole_seconds(int64_t nanoseconds) noexcept {
  const int64_t seconds = nanoseconds / kSecond;
  return nanoseconds % kSecond < 0 ? seconds - 1 : seconds;
}

std::optional<int64_t> part_of_timestamp(int64_t nanoseconds, TimePart part) noexcept {
  const Moment moment = split(nanoseconds);
  const year_month_day day(moment.day);
  switch (part) {
    case TimePart::kYear:
      return static_cast<int>(day.year());
    case TimePart::kMonth:
      return static_cast<unsigned>(day.month()) - 1;
    case TimePart::kDate:
      return static_cast<unsigned>(day.day());
    case TimePart::kDayOfMonth:
      return static_cast<unsigned>(day.day()) - 1;
    case TimePart::kDayOfWeek:
      return std::chrono::weekday(moment.day).c_encoding();
    case TimePart::kDayOfYear:
      return (moment.day - sys_days(day.year() / std::chrono::January / 1)).count();
    case TimePart::kHours:
      return moment.of_day / kHour;
    case TimePart::kMinutes:
      return moment.of_day / kMinute % 60;
    case TimePart::kSeconds:
      return moment.of_day / kSecond % 60;
    case TimePart::kMilliseconds:
      return moment.of_day / kMillisecond % 1000;
  }
  return std::nullopt;
}

std::optional<int64_t> part_of_duration(int64_t nanoseconds, TimePart part) noexcept {
  switch (part) {
    case TimePart::kHours:
      return nanoseconds / kHour;
    case TimePart::kMinutes:
      return nanoseconds / kMinute;
    case TimePart::kSeconds:
      return nanoseconds / kSecond;
    case TimePart::kMilliseconds:
      return nanoseconds / kMillisecond % 1000;
    default:
      return std::nullopt;
  }
}

}  // namespace weir::wasm::cel
