// Logging, and the end of a VM whose filter cannot go on.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy_wasm_externs.h"

inline WasmResult logMessage(LogLevel level, std::string_view message) {
  return proxy_log(level, message.data(), message.size());
}
inline WasmResult logTrace(std::string_view message) {
  return logMessage(LogLevel::trace, message);
}
inline WasmResult logDebug(std::string_view message) {
  return logMessage(LogLevel::debug, message);
}
inline WasmResult logInfo(std::string_view message) { return logMessage(LogLevel::info, message); }
inline WasmResult logWarn(std::string_view message) { return logMessage(LogLevel::warn, message); }
inline WasmResult logError(std::string_view message) {
  return logMessage(LogLevel::error, message);
}
inline WasmResult logCritical(std::string_view message) {
  return logMessage(LogLevel::critical, message);
}
[[noreturn]] inline void logAbort(std::string_view message) {
  logCritical(message);
  abort();
}

// LOG_INFO("text " + more) logs the text behind its place in the source.
#define LOG(level, ...)                                                                           \
  log##level(std::string("[" __FILE__ ":") + std::to_string(__LINE__) + "]::" + __FUNCTION__ + "() " + \
             __VA_ARGS__)
#define LOG_TRACE(...) LOG(Trace, __VA_ARGS__)
#define LOG_DEBUG(...) LOG(Debug, __VA_ARGS__)
#define LOG_INFO(...) LOG(Info, __VA_ARGS__)
#define LOG_WARN(...) LOG(Warn, __VA_ARGS__)
#define LOG_ERROR(...) LOG(Error, __VA_ARGS__)
#define LOG_CRITICAL(...) LOG(Critical, __VA_ARGS__)
// Use around the building of expensive texts: `if (isLogged(LogLevel::debug)) LOG_DEBUG(describe());`
inline bool isLogged(LogLevel level) {
  LogLevel lowest = LogLevel::info;
  return proxy_get_log_level(&lowest) == WasmResult::Ok && level >= lowest;
}

// The module is compiled without exceptions.
#define WASM_EXCEPTIONS 0

// For calls that cannot fail unless the host or the filter is wrong: logs the call and ends the VM.
#define CHECK_RESULT(call)                                             \
  do {                                                                 \
    if ((call) != WasmResult::Ok) logAbort("failed: " #call);          \
  } while (0)
