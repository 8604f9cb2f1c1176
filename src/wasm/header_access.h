// HeaderAccess: a header map as guests see it, pseudo-headers included.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <weir/message.h>

#include "wasm/enums.h"
#include "wasm/pairs.h"

namespace weir::wasm {

struct DirectionState;

/// A view of one map for the time of a host call. Pseudo-headers are fields of heads; "host" is another name of ":authority".
class HeaderAccess {
 public:
  HeaderAccess() = default;
  HeaderAccess(HeaderMap& map, RequestHead* request, ResponseHead* response,
               DirectionState* direction, bool writable) noexcept
      : map_(&map),
        request_(request),
        response_(response),
        direction_(direction),
        writable_(writable) {}
  explicit operator bool() const noexcept { return map_ != nullptr; }
  bool writable() const noexcept { return writable_; }

  /// `name` in any case.
  std::optional<std::string_view> get(std::string_view name);
  /// Number of entries and bytes of their names and values.
  void measure(size_t& count, size_t& bytes);
  void write_pairs(PairsWriter& writer);

  enum class Change : uint8_t { kAdd, kReplace };
  /// kBadArgument: a name or value that no message may carry, or no room.
  Status change(Change how, std::string_view name, std::string_view value);
  Status remove(std::string_view name);
  /// All or nothing. Pseudo-headers that are not given keep their values.
  Status set_all(const PairViews& pairs);
  /// The last change was refused because the map is full.
  bool full() const noexcept { return full_; }

 private:
  template <typename Visitor>
  void for_each_pseudo(Visitor&& visit);
  Status check(std::string_view lower, std::string_view value) const;
  Status set_pseudo(std::string_view lower, std::string_view value, bool really);
  void put(Change how, std::string_view lower, std::string_view value);
  bool has_room(size_t kept_bytes, size_t new_bytes) noexcept;
  bool is_pseudo(std::string_view lower) const noexcept;

  HeaderMap* map_ = nullptr;
  RequestHead* request_ = nullptr;
  ResponseHead* response_ = nullptr;
  DirectionState* direction_ = nullptr;
  bool writable_ = false;
  bool full_ = false;
  char status_text_[4] = {};
};

}  // namespace weir::wasm
