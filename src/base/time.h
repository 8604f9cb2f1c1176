// Time: texts of points in time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace weir::base {

using SystemClockTime = std::chrono::system_clock::time_point;

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). Cached per thread and second: valid until this
/// thread's next call.
std::string_view http_date(SystemClockTime time) noexcept;
/// "2026-11-21T14:00:00.123Z".
std::string iso8601(SystemClockTime time);
void append_iso8601(std::string& out, SystemClockTime time);
/// "2026-11-21 14:00:00.123", UTC, as log lines begin.
void append_log_time(std::string& out, SystemClockTime time);
/// strftime in UTC, with Envoy's additions %3f, %6f, %9f, %f (fraction of a second) and %s (seconds since 1970).
std::string format_time(std::string_view format, SystemClockTime time);

}  // namespace weir::base
