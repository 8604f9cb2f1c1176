#include "wasm/pairs.h"

#include <cstdint>
#include <cstring>

#include "wasm/limits.h"

namespace weir::wasm {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "guests are little endian");

size_t pairs_size(size_t count, size_t text_bytes) noexcept {
  return 4 + count * (8 + 2) + text_bytes;
}

PairsWriter::PairsWriter(char* to, size_t count) noexcept
    : sizes_(to + 4), texts_(to + 4 + count * 8) {
  put_u32(to, count);
}

void PairsWriter::put_u32(char* at, size_t value) noexcept {
  const auto narrow = static_cast<uint32_t>(value);
  std::memcpy(at, &narrow, sizeof narrow);
}

void PairsWriter::put(std::string_view key, std::string_view value) noexcept {
  put_u32(sizes_, key.size());
  put_u32(sizes_ + 4, value.size());
  sizes_ += 8;
  for (const std::string_view text : {key, value}) {
    if (!text.empty()) std::memcpy(texts_, text.data(), text.size());
    texts_ += text.size();
    *texts_++ = '\0';
  }
}

std::string encode_pairs(const PairViews& pairs) {
  size_t bytes = 0;
  for (const auto& [key, value] : pairs) bytes += key.size() + value.size();
  std::string out(pairs_size(pairs.size(), bytes), '\0');
  PairsWriter writer(out.data(), pairs.size());
  for (const auto& [key, value] : pairs) writer.put(key, value);
  return out;
}

namespace {

uint64_t load_u32(const char* at) noexcept {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Takes `size` bytes and the NUL behind them.
bool take_text(std::string_view& rest, uint64_t size, std::string_view& text) noexcept {
  if (size >= rest.size() || rest[size] != '\0') return false;
  text = rest.substr(0, size);
  rest.remove_prefix(size + 1);
  return true;
}

}  // namespace

std::optional<PairViews> decode_pairs(std::string_view bytes) {
  if (bytes.empty() || (bytes.size() == 1 && bytes[0] == '\0')) return PairViews{};
  if (bytes.size() < 4 || bytes.size() > kMaxPairsBytes) return std::nullopt;
  const uint64_t count = load_u32(bytes.data());
  if (count > kMaxPairs || count * 8 > bytes.size() - 4) return std::nullopt;
  PairViews pairs;
  pairs.reserve(count);
  const char* sizes = bytes.data() + 4;
  std::string_view rest = bytes.substr(4 + count * 8);
  for (uint64_t i = 0; i < count; ++i, sizes += 8) {
    std::string_view key;
    std::string_view value;
    if (!take_text(rest, load_u32(sizes), key) || !take_text(rest, load_u32(sizes + 4), value))
      return std::nullopt;
    pairs.emplace_back(key, value);
  }
  if (!rest.empty()) return std::nullopt;
  return pairs;
}

}  // namespace weir::wasm
