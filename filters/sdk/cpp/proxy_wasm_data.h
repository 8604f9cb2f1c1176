// Bytes that the host has handed to the guest, and the wire format of header maps ("pairs", ABI "serialised map").
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using HeaderStringPairs = std::vector<std::pair<std::string, std::string>>;
using HeaderViewPairs = std::vector<std::pair<std::string_view, std::string_view>>;

// Owns a block that the host allocated through this guest's malloc and frees it with the last reference. Views taken from
// it live as long as it does.
class WasmData {
 public:
  WasmData(const char* data, size_t size) : data_(data), size_(size) {}
  ~WasmData() { ::free(const_cast<char*>(data_)); }
  WasmData(const WasmData&) = delete;
  WasmData& operator=(const WasmData&) = delete;

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }
  std::string toString() const { return std::string(view()); }
  // The block read as a serialised map. Empty if it is none (a block shorter than its own counts is no map).
  HeaderViewPairs pairs() const;
  // The block read as one little-endian value of exactly sizeof(T) bytes; false if the size differs.
  template <typename T>
  bool value(T* out) const {
    if (size_ != sizeof(T)) return false;
    std::memcpy(out, data_, sizeof(T));
    return true;
  }
  // The block read as a message of a protobuf library; what is none gives what that could be read of it.
  template <typename T>
  T proto() const {
    T message;
    message.ParseFromArray(data_, static_cast<int>(size_));
    return message;
  }

 private:
  const char* data_;
  size_t size_;
};

using WasmDataPtr = std::unique_ptr<WasmData>;

namespace weir_sdk {

inline uint32_t load_u32(const char* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

inline void append_u32(std::string& out, uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Serialises a map: u32 count, the u32 lengths of every key and value, then the NUL-terminated texts. An empty map is an
// empty block.
template <typename Pairs>
std::string serialize_pairs(const Pairs& pairs) {
  std::string out;
  if (pairs.empty()) return out;
  append_u32(out, static_cast<uint32_t>(pairs.size()));
  for (const auto& [key, value] : pairs) {
    append_u32(out, static_cast<uint32_t>(key.size()));
    append_u32(out, static_cast<uint32_t>(value.size()));
  }
  for (const auto& [key, value] : pairs) {
    out.append(key.data(), key.size()).push_back('\0');
    out.append(value.data(), value.size()).push_back('\0');
  }
  return out;
}

// The reverse. The views point into `block`. A malformed block gives an empty list.
inline HeaderViewPairs parse_pairs(std::string_view block) {
  HeaderViewPairs pairs;
  if (block.size() < 4) return pairs;
  const uint64_t count = load_u32(block.data());
  uint64_t offset = 4 + count * 8;
  if (offset > block.size()) return pairs;
  pairs.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t key_size = load_u32(block.data() + 4 + i * 8);
    const uint64_t value_size = load_u32(block.data() + 8 + i * 8);
    if (offset + key_size + 1 + value_size + 1 > block.size()) return {};
    pairs.emplace_back(block.substr(offset, key_size),
                       block.substr(offset + key_size + 1, value_size));
    offset += key_size + 1 + value_size + 1;
  }
  return pairs;
}

}  // namespace weir_sdk

inline HeaderViewPairs WasmData::pairs() const { return weir_sdk::parse_pairs(view()); }

// The wire format by the names of the public SDK.
template <typename Pairs>
size_t pairsSize(const Pairs& pairs) {
  size_t size = sizeof(uint32_t);
  for (const auto& [key, value] : pairs)
    size += 2 * sizeof(uint32_t) + key.size() + value.size() + 2;
  return size;
}
// Writes pairsSize() bytes.
template <typename Pairs>
void marshalPairs(const Pairs& pairs, char* buffer) {
  const std::string block = weir_sdk::serialize_pairs(pairs);
  std::memset(buffer, 0, sizeof(uint32_t));
  std::memcpy(buffer, block.data(), block.size());
}
// A block from malloc, which the caller frees; null for an empty map.
template <typename Pairs>
void exportPairs(const Pairs& pairs, const char** block, size_t* size) {
  *block = nullptr;
  *size = 0;
  if (pairs.empty()) return;
  char* buffer = static_cast<char*>(::malloc(pairsSize(pairs)));
  marshalPairs(pairs, buffer);
  *block = buffer;
  *size = pairsSize(pairs);
}
inline void MakeHeaderStringPairsBuffer(const HeaderStringPairs& pairs, void** block,
                                        size_t* size) {
  const char* bytes = nullptr;
  exportPairs(pairs, &bytes, size);
  *block = const_cast<char*>(bytes);
}

// For tables that are keyed by pairs and triples.
struct PairHash {
  template <typename T, typename U>
  size_t operator()(const std::pair<T, U>& key) const {
    return std::hash<T>()(key.first) * 31 + std::hash<U>()(key.second);
  }
};
struct Tuple3Hash {
  template <typename T, typename U, typename V>
  size_t operator()(const std::tuple<T, U, V>& key) const {
    const auto& [first, second, third] = key;
    return (std::hash<T>()(first) * 31 + std::hash<U>()(second)) * 31 + std::hash<V>()(third);
  }
};
