#include "config/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/strings.h"

namespace weir::config {
namespace {

constexpr double kLongestDuration = 100.0 * 365.25 * 24 * 3600;

size_t skip_digits(std::string_view text, size_t at) {
  while (at < text.size() && base::is_digit(text[at])) ++at;
  return at;
}

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};
constexpr Unit kUnits[] = {{"ns", 1},
                           {"us", 1'000},
                           {"ms", 1'000'000},
                           {"s", 1'000'000'000},
                           {"m", 60'000'000'000},
                           {"h", 3'600'000'000'000}};

}  // namespace

bool is_json_number(std::string_view text) noexcept {
  size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  const size_t integer = at;
  at = skip_digits(text, at);
  if (at == integer || (text[integer] == '0' && at > integer + 1)) return false;
  if (at < text.size() && text[at] == '.') {
    const size_t fraction = at + 1;
    at = skip_digits(text, fraction);
    if (at == fraction) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent = at;
    at = skip_digits(text, at);
    if (at == exponent) return false;
  }
  return at == text.size();
}

std::optional<double> parse_number(std::string_view text) {
  if (!is_json_number(text)) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  if (!is_json_number(text)) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return value;
  const auto number = parse_number(text);
  constexpr double kExact = 9007199254740992.0;  // 2^53: beyond it a double skips integers
  if (!number || std::trunc(*number) != *number || std::fabs(*number) > kExact) return std::nullopt;
  return static_cast<int64_t>(*number);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  size_t letters = text.size();
  while (letters > 0 && base::is_alpha(text[letters - 1])) --letters;
  const auto value = parse_number(text.substr(0, letters));
  if (!value || *value < 0 || std::signbit(*value)) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (text.substr(letters) != unit.name) continue;
    const double nanoseconds = *value * static_cast<double>(unit.nanoseconds);
    if (nanoseconds > kLongestDuration * 1e9) return std::nullopt;
    return std::chrono::nanoseconds(std::llround(nanoseconds));
  }
  return std::nullopt;
}

std::optional<std::string> parse_base64(std::string_view text) {
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  if (standard.find('=') == std::string::npos) standard.resize((standard.size() + 3) / 4 * 4, '=');
  return base::base64_decode(standard);
}

}  // namespace weir::config
