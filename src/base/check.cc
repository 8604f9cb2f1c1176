#include "base/check.h"

#include <atomic>
#include <cstdlib>

#include "base/log.h"

namespace weir::base {

namespace {
std::atomic<uint64_t> bugs{0};
#ifdef NDEBUG
std::atomic<bool> abort_on_bugs{false};
#else
std::atomic<bool> abort_on_bugs{true};
#endif
}  // namespace

void check_failed(const char* expression, const char* file, int line) noexcept {
  write_log(Component::kMain, Level::kCritical, "check failed",
            {{"expression", expression}, {"file", file}, {"line", line}});
  std::abort();
}

void report_bug(const char* message, const char* file, int line) noexcept {
  bugs.fetch_add(1, std::memory_order_relaxed);
  write_log(Component::kMain, Level::kError, "bug",
            {{"what", message}, {"file", file}, {"line", line}});
  if (abort_on_bugs.load(std::memory_order_relaxed)) std::abort();
}

uint64_t bug_count() noexcept { return bugs.load(std::memory_order_relaxed); }

void set_abort_on_bug(bool abort_on_bug) noexcept {
  abort_on_bugs.store(abort_on_bug, std::memory_order_relaxed);
}

}  // namespace weir::base
