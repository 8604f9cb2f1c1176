// Checks: WEIR_CHECK always, WEIR_DCHECK in debug builds, WEIR_BUG for what must not happen but need not kill.
#pragma once

#include <cstdint>

namespace weir::base {

[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;
void report_bug(const char* message, const char* file, int line) noexcept;
/// Number of WEIR_BUGs since the process started; the server shows it as `server.envoy_bug_failures`.
uint64_t bug_count() noexcept;
/// Whether WEIR_BUG aborts. Default: yes without NDEBUG.
void set_abort_on_bug(bool abort_on_bug) noexcept;

}  // namespace weir::base

/// Aborts unless `condition` holds. Never for what a peer, a guest or a configuration can cause.
#define WEIR_CHECK(condition)                        \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::weir::base::check_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define WEIR_DCHECK(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))
#else
#define WEIR_DCHECK(condition) WEIR_CHECK(condition)
#endif

/// Logs and counts in release builds, aborts in debug builds and tests; the caller goes on safely.
#define WEIR_BUG(message) ::weir::base::report_bug(message, __FILE__, __LINE__)
