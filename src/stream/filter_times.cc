#include "stream/filter_times.h"

#include <algorithm>

#include "base/strings.h"

namespace weir::stream {
namespace {

bool is_token_char(char c) noexcept {
  constexpr std::string_view kOther = "!#$%&'*+-.^_`|~";
  return base::is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kOther.find(c) != std::string_view::npos;
}

void append_milliseconds(std::string& out, std::chrono::nanoseconds time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  const std::string fraction = std::to_string(us % 1000);
  base::append_all(out, us / 1000, ".", std::string(3 - fraction.size(), '0'), fraction);
}

}  // namespace

void append_filter_time(std::string& out, std::string_view name, const FilterTime& time) {
  if (!out.empty()) out += ", ";
  std::transform(name.begin(), name.end(), std::back_inserter(out),
                 [](char c) { return is_token_char(c) ? c : '_'; });
  out += ";dur=";
  append_milliseconds(out, time.spent);
  if (time.held.count() == 0) return;
  out += ";held=";
  append_milliseconds(out, time.held);
}

}  // namespace weir::stream
