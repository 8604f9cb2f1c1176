#include "base/time.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/strings.h"

namespace weir::base {

namespace {

using std::chrono::duration_cast;
using std::chrono::floor;
using std::chrono::nanoseconds;
using std::chrono::seconds;

struct Broken {
  int64_t second;
  int64_t nanosecond;
};

Broken broken(SystemClockTime time) noexcept {
  const auto whole = floor<seconds>(time.time_since_epoch());
  return {whole.count(), duration_cast<nanoseconds>(time.time_since_epoch() - whole).count()};
}

// "YYYY-mm-dd HH:MM:SS" of the last second seen by this thread.
struct SecondText {
  int64_t second = INT64_MIN;
  std::array<char, 20> text{};
};

std::string_view second_text(int64_t second) noexcept {
  constinit thread_local SecondText cache;
  if (cache.second != second) {
    const time_t value = second;
    tm parts{};
    ::gmtime_r(&value, &parts);
    std::strftime(cache.text.data(), cache.text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    cache.second = second;
  }
  return {cache.text.data(), 19};
}

void append_fraction(std::string& out, int64_t nanosecond, int digits) {
  char text[10];
  std::snprintf(text, sizeof text, "%09d", static_cast<int>(nanosecond));
  out.append(text, static_cast<size_t>(digits));
}

}  // namespace

std::string_view http_date(SystemClockTime time) noexcept {
  struct Cache {
    int64_t second = INT64_MIN;
    std::array<char, 30> text{};
  };
  constinit thread_local Cache cache;
  const int64_t second = broken(time).second;
  if (cache.second != second) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t value = second;
    tm parts{};
    ::gmtime_r(&value, &parts);
    char format[40];
    std::snprintf(format, sizeof format, "%s, %%d %s %%Y %%H:%%M:%%S GMT", kDays[parts.tm_wday],
                  kMonths[parts.tm_mon]);
    std::strftime(cache.text.data(), cache.text.size(), format, &parts);
    cache.second = second;
  }
  return {cache.text.data(), 29};
}

void append_iso8601(std::string& out, SystemClockTime time) {
  const Broken parts = broken(time);
  const std::string_view text = second_text(parts.second);
  out += text.substr(0, 10);
  out += 'T';
  out += text.substr(11);
  out += '.';
  append_fraction(out, parts.nanosecond, 3);
  out += 'Z';
}

std::string iso8601(SystemClockTime time) {
  std::string out;
  append_iso8601(out, time);
  return out;
}

void append_log_time(std::string& out, SystemClockTime time) {
  const Broken parts = broken(time);
  out += second_text(parts.second);
  out += '.';
  append_fraction(out, parts.nanosecond, 3);
}

std::string format_time(std::string_view format, SystemClockTime time) {
  const Broken parts = broken(time);
  std::string own;  // the format with our own conversions replaced
  for (size_t i = 0; i < format.size(); ++i) {
    const std::string_view rest = format.substr(i);
    if (rest.starts_with("%%")) {
      own += "%%";
      ++i;
    } else if (rest.starts_with("%s")) {
      append_number(own, parts.second);
      ++i;
    } else if (rest.starts_with("%f")) {
      append_fraction(own, parts.nanosecond, 9);
      ++i;
    } else if (rest.size() >= 3 && rest[0] == '%' && rest[2] == 'f' && rest[1] >= '1' &&
               rest[1] <= '9') {
      append_fraction(own, parts.nanosecond, rest[1] - '0');
      i += 2;
    } else {
      own += format[i];
    }
  }
  if (own.empty()) return own;
  own += ' ';  // so that an empty result can be told from a full buffer
  const time_t value = parts.second;
  tm fields{};
  ::gmtime_r(&value, &fields);
  std::string out(own.size() * 4 + 64, '\0');
  const size_t n = std::strftime(out.data(), out.size(), own.c_str(), &fields);
  out.resize(n == 0 ? 0 : n - 1);
  return out;
}

}  // namespace weir::base
