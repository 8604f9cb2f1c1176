// What guests leave in the filter state, and the properties that they have declared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "wasm/enums.h"

namespace weir::wasm {

class Vm;

/// How long an entry lives; the numbers are the wire's. The first two are the stream.
enum class StateSpan : uint8_t { kFilterChain = 0, kRequest = 1, kConnection = 2 };

/// A property as a guest has declared it.
struct DeclaredProperty {
  bool read_only = false;  // what is set once stays
  uint8_t type = 0;        // bytes, string, FlatBuffers, protobuf
  StateSpan span = StateSpan::kFilterChain;
  std::string schema;  // kept for who reads the property by its parts
};

/// Those of one plugin. What is declared stays.
class DeclaredProperties {
 public:
  /// kBadArgument: it is declared already, or there are too many.
  Status add(std::string name, DeclaredProperty property);
  /// Null: it is not declared.
  const DeclaredProperty* find(std::string_view name) const noexcept;

 private:
  std::map<std::string, DeclaredProperty, std::less<>> all_;
  size_t bytes_ = 0;
};

/// Entries by which the host and its own filters tell each other something: guests do not write them.
bool is_hosts_own(std::string_view key) noexcept;
/// The host's: with it begin the keys of empty entries that say which others are read-only.
inline constexpr std::string_view kReadOnlyMark = "weir.read_only.";

/// Sets the entry `key` of what the call is about. kNotFound: it is about no stream and no connection. kBadArgument: there is no
/// room, it is there and `once`, or it was set with `once`, by whichever plugin.
Status put_filter_state(Vm& vm, const std::string& key, std::string_view value, StateSpan span,
                        bool once);

// Of one stream, connection or root.
inline constexpr size_t kMaxProperties = 256;
inline constexpr size_t kMaxPropertyBytes = 1024 * 1024;

using Properties = std::map<std::string, std::string, std::less<>>;
/// kBadArgument: there is no room.
Status put_bounded(Properties& all, const std::string& key, std::string_view value);

}  // namespace weir::wasm
