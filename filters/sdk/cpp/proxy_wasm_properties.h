// Properties (attributes). A path is a list of segments: getProperty({"request", "headers", "x-id"}), or a vector of them.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "proxy_wasm_data.h"
#include "proxy_wasm_externs.h"

template <typename Parts>
std::string makePropertyPath(const Parts& parts) {
  std::string path;
  for (const auto& part : parts) {
    if (!path.empty()) path.push_back('\0');
    path.append(part);
  }
  return path;
}
inline std::string makePropertyPath(std::initializer_list<std::string_view> parts) {
  return makePropertyPath<std::initializer_list<std::string_view>>(parts);
}

namespace weir_sdk {

inline std::optional<WasmDataPtr> property_at(const std::string& path) {
  const char* value = nullptr;
  size_t size = 0;
  if (proxy_get_property(path.data(), path.size(), &value, &size) != WasmResult::Ok)
    return std::nullopt;
  return std::make_unique<WasmData>(value, size);
}

template <typename T>
bool read_value(const std::optional<WasmDataPtr>& data, T* out) {
  if (!data.has_value()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    *out = (*data)->toString();
    return true;
  } else {
    return (*data)->value(out);
  }
}

// An empty value is a message without fields: `out` stays as it is.
template <typename T>
bool read_message(const std::optional<WasmDataPtr>& data, T* out) {
  if (!data.has_value()) return false;
  return (*data)->size() == 0 ||
         out->ParseFromArray((*data)->data(), static_cast<int>((*data)->size()));
}

}  // namespace weir_sdk

inline std::optional<WasmDataPtr> getProperty(std::initializer_list<std::string_view> parts) {
  return weir_sdk::property_at(makePropertyPath(parts));
}
template <typename S>
std::optional<WasmDataPtr> getProperty(const std::vector<S>& parts) {
  return weir_sdk::property_at(makePropertyPath(parts));
}

// Numbers arrive as 8 bytes, bool as 1: T must be int64_t, uint64_t, double, bool or std::string. Durations are nanoseconds,
// times those since 1970.
template <typename T>
bool getValue(std::initializer_list<std::string_view> parts, T* out) {
  return weir_sdk::read_value(getProperty(parts), out);
}
template <typename S, typename T>
bool getValue(const std::vector<S>& parts, T* out) {
  return weir_sdk::read_value(getProperty(parts), out);
}

// For messages of a protobuf library.
template <typename T>
bool getMessageValue(std::initializer_list<std::string_view> parts, T* out) {
  return weir_sdk::read_message(getProperty(parts), out);
}
template <typename S, typename T>
bool getMessageValue(const std::vector<S>& parts, T* out) {
  return weir_sdk::read_message(getProperty(parts), out);
}

inline WasmResult setProperty(std::initializer_list<std::string_view> parts,
                              std::string_view value) {
  const std::string path = makePropertyPath(parts);
  return proxy_set_property(path.data(), path.size(), value.data(), value.size());
}
inline WasmResult setFilterState(std::string_view key, std::string_view value) {
  return proxy_set_property(key.data(), key.size(), value.data(), value.size());
}
inline WasmResult setFilterStateStringValue(std::string_view key, std::string_view value) {
  return setFilterState(key, value);
}
