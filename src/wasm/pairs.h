// Pairs: the wire form of maps between host and guest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::wasm {

/// u32 count; count x {u32 key size, u32 value size}; count x {key, 0, value, 0}; all little endian.
using PairViews = std::vector<std::pair<std::string_view, std::string_view>>;

size_t pairs_size(size_t count, size_t text_bytes) noexcept;
/// Writes into `to`, which has pairs_size() bytes: first put all sizes, then all texts, in the same order.
class PairsWriter {
 public:
  PairsWriter(char* to, size_t count) noexcept;
  void put(std::string_view key,
           std::string_view value) noexcept;  // writes size and text of the next pair

 private:
  void put_u32(char* at, size_t value) noexcept;
  char* sizes_;
  char* texts_;
};
std::string encode_pairs(const PairViews& pairs);

/// Strict: nothing missing, nothing left over, NULs in place, at most kMaxPairs and kMaxPairsBytes. The empty map may be
/// no bytes, one zero byte (as the ABI's text says) or a zero count. Views point into `bytes`. Null if malformed.
std::optional<PairViews> decode_pairs(std::string_view bytes);

}  // namespace weir::wasm
