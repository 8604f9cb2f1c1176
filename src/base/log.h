// Log: one line per event, with a level per component that can be changed at run time.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#include <weir/result.h>

namespace weir::base {

enum class Level : uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kCritical, kOff };
enum class Component : uint8_t {
  kMain,
  kAdmin,
  kConfig,
  kListener,
  kConnection,  // of clients
  kHttp,
  kRouter,
  kUpstream,
  kPool,
  kWasm,  // also what guests log
  kAccess,
  kCount_
};

/// "trace" … "off"; also "warning" and "err", which Envoy's /logging takes.
std::optional<Level> parse_level(std::string_view text) noexcept;
std::string_view level_name(Level level) noexcept;
std::optional<Component> parse_component(std::string_view text) noexcept;
std::string_view component_name(Component component) noexcept;
using ComponentLevels = std::vector<std::pair<Component, Level>>;
/// "http:debug,wasm:trace". Errors: kConfig, naming the part that is not component:level; nothing is left out.
Result<ComponentLevels> parse_component_levels(std::string_view text);
std::string component_levels_text(const ComponentLevels& levels);

namespace internal {
extern std::atomic<Level> levels[static_cast<size_t>(Component::kCount_)];
}
inline bool log_enabled(Component component, Level level) noexcept {
  return level >= internal::levels[static_cast<size_t>(component)].load(std::memory_order_relaxed);
}
Level log_level(Component component) noexcept;
void set_log_level(Component component, Level level) noexcept;
void set_all_log_levels(Level level) noexcept;

/// One key=value of a line. Texts are borrowed for the time of the call.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value) noexcept : key_(key), text_(value) {}
  LogField(std::string_view key, const char* value) noexcept : key_(key), text_(value) {}
  LogField(std::string_view key, const std::string& value) noexcept : key_(key), text_(value) {}
  LogField(std::string_view key, bool value) noexcept
      : key_(key), text_(value ? "true" : "false") {}
  LogField(std::string_view key, double value) noexcept
      : key_(key), kind_(Kind::kDouble), double_(value) {}
  template <typename T>
  requires std::is_integral_v<T> LogField(std::string_view key, T value)
  noexcept
      : key_(key),
        kind_(std::is_signed_v<T> ? Kind::kSigned : Kind::kUnsigned),
        integer_(static_cast<uint64_t>(static_cast<int64_t>(value))) {}
  void append_to(std::string& line) const;

 private:
  enum class Kind : uint8_t { kText, kSigned, kUnsigned, kDouble };
  std::string_view key_;
  std::string_view text_{};
  Kind kind_ = Kind::kText;
  uint64_t integer_ = 0;
  double double_ = 0;
};

/// Writes the line, whatever the level; use WEIR_LOG. Cold: where the level is off, a line costs one comparison.
[[gnu::cold]] void write_log(Component component, Level level, std::string_view message,
                             std::initializer_list<LogField> fields = {}) noexcept;

/// The name that stands in the lines of this thread ("worker_0"); without one it is the thread id.
void set_thread_name(std::string_view name) noexcept;
/// Lines go to the file instead of stderr; an empty path leads back to stderr. Errors: kSystem.
Result<void> open_log(const std::string& path);
/// Opens the file again under its name, after a rotation. Without a file: nothing.
Result<void> reopen_log();
/// Lines are handed to `output` instead of being written (with their newline); null restores writing.
/// `output` is called on any thread.
using LogOutput = void (*)(std::string_view line);
void set_log_output(LogOutput output) noexcept;

/// Lets one line through per interval and counts the others. Thread-safe; usually static.
class LogLimiter {
 public:
  constexpr explicit LogLimiter(uint32_t interval_ms) noexcept : interval_ms_(interval_ms) {}
  /// If true, `suppressed` is the number of lines that were not let through since the last.
  bool allow(uint64_t& suppressed) noexcept;

 private:
  uint32_t interval_ms_;
  std::atomic<int64_t> next_ms_{0};
  std::atomic<uint64_t> suppressed_{0};
};

}  // namespace weir::base

/// WEIR_LOG(kHttp, kInfo, "stream reset", {{"id", id}, {"why", why}}): nothing is evaluated when the level is off.
#define WEIR_LOG(component, level, ...)                                                            \
  do {                                                                                             \
    if (::weir::base::log_enabled(::weir::base::Component::component, ::weir::base::Level::level)) \
      ::weir::base::write_log(::weir::base::Component::component, ::weir::base::Level::level,      \
                              __VA_ARGS__);                                                        \
  } while (false)

/// As WEIR_LOG, at most one line per `interval_ms` from this place; for what a peer can cause.
#define WEIR_LOG_EVERY_MS(interval_ms, component, level, ...)                                   \
  do {                                                                                          \
    static ::weir::base::LogLimiter weir_log_limiter(interval_ms);                              \
    uint64_t weir_log_suppressed = 0;                                                           \
    if (::weir::base::log_enabled(::weir::base::Component::component,                           \
                                  ::weir::base::Level::level) &&                                \
        weir_log_limiter.allow(weir_log_suppressed)) {                                          \
      ::weir::base::write_log(::weir::base::Component::component, ::weir::base::Level::level,   \
                              __VA_ARGS__);                                                     \
      if (weir_log_suppressed > 0)                                                              \
        ::weir::base::write_log(::weir::base::Component::component, ::weir::base::Level::level, \
                                "lines like the last were suppressed",                          \
                                {{"count", weir_log_suppressed}});                              \
    }                                                                                           \
  } while (false)
