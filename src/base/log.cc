#include "base/log.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "base/strings.h"
#include "base/time.h"

namespace weir::base {

namespace {

constexpr size_t kComponents = static_cast<size_t>(Component::kCount_);
constexpr std::array<std::string_view, 7> kLevelNames = {"trace", "debug",    "info", "warning",
                                                         "error", "critical", "off"};
constexpr std::array<std::string_view, kComponents> kComponentNames = {
    "main",   "admin",    "config", "listener", "connection", "http",
    "router", "upstream", "pool",   "wasm",     "access"};

std::mutex file_mutex;
std::string file_path;  // guarded by file_mutex
std::atomic<int> log_fd{STDERR_FILENO};
std::atomic<LogOutput> log_output{nullptr};

struct ThreadName {
  char text[16];
  uint8_t size;
};
constinit thread_local ThreadName thread_name{};

std::string_view current_thread_name() noexcept {
  if (thread_name.size == 0) {
    const int n =
        std::snprintf(thread_name.text, sizeof thread_name.text, "%ld", ::syscall(SYS_gettid));
    thread_name.size = static_cast<uint8_t>(n);
  }
  return {thread_name.text, thread_name.size};
}

bool is_plain(std::string_view value) noexcept {
  if (value.empty()) return false;
  for (const char c : value) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

Result<int> open_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0)
    return fail(Code::kSystem, Side::kLocal,
                concat("cannot open log file ", path, ": ", std::strerror(errno)));
  return fd;
}

}  // namespace

std::atomic<Level> internal::levels[kComponents] = {
    Level::kInfo, Level::kInfo, Level::kInfo, Level::kInfo, Level::kInfo, Level::kInfo,
    Level::kInfo, Level::kInfo, Level::kInfo, Level::kInfo, Level::kInfo};

std::optional<Level> parse_level(std::string_view text) noexcept {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (text == kLevelNames[i]) return static_cast<Level>(i);
  }
  if (text == "warn") return Level::kWarn;
  if (text == "err") return Level::kError;
  return std::nullopt;
}

std::string_view level_name(Level level) noexcept {
  return kLevelNames[static_cast<size_t>(level)];
}

std::optional<Component> parse_component(std::string_view text) noexcept {
  for (size_t i = 0; i < kComponents; ++i) {
    if (text == kComponentNames[i]) return static_cast<Component>(i);
  }
  return std::nullopt;
}

std::string_view component_name(Component component) noexcept {
  return kComponentNames[static_cast<size_t>(component)];
}

Result<ComponentLevels> parse_component_levels(std::string_view text) {
  ComponentLevels levels;
  for (const std::string_view each : split(text, ',')) {
    const size_t colon = std::min(each.find(':'), each.size());
    const auto component = parse_component(each.substr(0, colon));
    const auto level = parse_level(each.substr(std::min(colon + 1, each.size())));
    if (!component || !level)
      return fail(Code::kConfig, Side::kLocal, concat("not component:level: ", each));
    levels.emplace_back(*component, *level);
  }
  return levels;
}

std::string component_levels_text(const ComponentLevels& levels) {
  std::string text;
  for (const auto& [component, level] : levels) {
    if (!text.empty()) text += ',';
    text.append(component_name(component)).append(":").append(level_name(level));
  }
  return text;
}

Level log_level(Component component) noexcept {
  return internal::levels[static_cast<size_t>(component)].load(std::memory_order_relaxed);
}

void set_log_level(Component component, Level level) noexcept {
  internal::levels[static_cast<size_t>(component)].store(level, std::memory_order_relaxed);
}

void set_all_log_levels(Level level) noexcept {
  for (auto& each : internal::levels) each.store(level, std::memory_order_relaxed);
}

void LogField::append_to(std::string& line) const {
  line += key_;
  line += '=';
  char digits[32];
  switch (kind_) {
    case Kind::kText:
      if (is_plain(text_)) {
        line += text_;
      } else {
        line += '"';
        append_escaped(line, text_);
        line += '"';
      }
      return;
    case Kind::kSigned:
      append_number(line, static_cast<int64_t>(integer_));
      return;
    case Kind::kUnsigned:
      append_number(line, integer_);
      return;
    case Kind::kDouble:
      line.append(digits,
                  static_cast<size_t>(std::snprintf(digits, sizeof digits, "%.6g", double_)));
      return;
  }
}

void write_log(Component component, Level level, std::string_view message,
               std::initializer_list<LogField> fields) noexcept {
  // Kept per thread, so that a line costs no allocation once warm; given back if a long value made it large.
  thread_local std::string line;
  line.clear();
  line += '[';
  append_log_time(line, std::chrono::system_clock::now());
  line += "][";
  line += current_thread_name();
  line += "][";
  line += level_name(level);
  line += "][";
  line += component_name(component);
  line += "] ";
  append_escaped(line, message, EscapeQuotes::kNo);
  for (const LogField& field : fields) {
    line += ' ';
    field.append_to(line);
  }
  line += '\n';
  if (const LogOutput output = log_output.load(std::memory_order_acquire); output != nullptr) {
    output(line);
  } else {
    // One write per line: O_APPEND keeps lines of several threads whole. A failure has nowhere to go.
    [[maybe_unused]] const ssize_t written =
        ::write(log_fd.load(std::memory_order_relaxed), line.data(), line.size());
  }
  if (line.capacity() > 64 * 1024) std::string().swap(line);
}

void set_thread_name(std::string_view name) noexcept {
  thread_name.size = static_cast<uint8_t>(std::min(name.size(), sizeof thread_name.text - 1));
  std::memcpy(thread_name.text, name.data(), thread_name.size);
  thread_name.text[thread_name.size] = '\0';
}

Result<void> open_log(const std::string& path) {
  int fd = STDERR_FILENO;
  if (!path.empty()) {
    WEIR_TRY(opened, open_file(path));
    fd = opened;
  }
  const std::lock_guard lock(file_mutex);
  file_path = path;
  // The old descriptor stays open, because a writer may just have read its number: a file is named once or twice
  // in a process, so this leaks next to nothing.
  log_fd.store(fd, std::memory_order_release);
  return {};
}

Result<void> reopen_log() {
  const std::lock_guard lock(file_mutex);
  if (file_path.empty()) return {};
  WEIR_TRY(fd, open_file(file_path));
  // dup3 swaps the file behind the number, so that concurrent writers never see a closed descriptor.
  const int result = ::dup3(fd, log_fd.load(std::memory_order_acquire), O_CLOEXEC);
  const int error = errno;
  ::close(fd);
  if (result < 0)
    return fail(Code::kSystem, Side::kLocal,
                concat("cannot reopen log file: ", std::strerror(error)));
  return {};
}

void set_log_output(LogOutput output) noexcept {
  log_output.store(output, std::memory_order_release);
}

bool LogLimiter::allow(uint64_t& suppressed) noexcept {
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::steady_clock::now().time_since_epoch())
                          .count();
  int64_t next = next_ms_.load(std::memory_order_relaxed);
  if (now < next ||
      !next_ms_.compare_exchange_strong(next, now + interval_ms_, std::memory_order_relaxed)) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  suppressed = suppressed_.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace weir::base
