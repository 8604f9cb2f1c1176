// HeaderAccess: a header map as guests see it, pseudo-headers included.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/message.h>

#include "wasm/enums.h"
#include "wasm/limits.h"
#include "wasm/pairs.h"
#include "wasm/privacy/privacy.h"

namespace weir::wasm {

struct DirectionState;

/// The codec makes these fields; what guests say of them is taken without effect.
bool is_framing(std::string_view lower) noexcept;

/// A view of one map for the time of a host call. Pseudo-headers are fields of heads; "host" is another name of ":authority".
/// Under privacy it is the map without what is hidden, and changes leave that alone (header_access_private.cc).
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
  /// For a look alone. The one form serves reading and changing: that it is not writable keeps the map as it is.
  static HeaderAccess to_read(const HeaderMap& map, const RequestHead* request,
                              const ResponseHead* response) noexcept {
    return {const_cast<HeaderMap&>(map), const_cast<RequestHead*>(request),
            const_cast<ResponseHead*>(response), nullptr, false};
  }
  /// As the constructors do, without moving what is empty in a new one.
  void show(HeaderMap& map, RequestHead* request, ResponseHead* response, DirectionState* direction,
            bool writable) noexcept {
    map_ = &map;
    request_ = request;
    response_ = response;
    direction_ = direction;
    writable_ = writable;
  }
  explicit operator bool() const noexcept { return map_ != nullptr; }
  /// What the map may have after a change.
  void limit_to(size_t bytes) noexcept { max_bytes_ = bytes; }
  bool writable() const noexcept { return writable_; }
  /// From now on the rules hold, those of that direction. Null: there are none.
  void restrict(const Privacy* privacy, Direction side) noexcept {
    if (privacy != nullptr && map_ != nullptr) [[unlikely]]
      veil_.emplace(Veil{privacy, side});
  }

  /// `name` in any case. The text may be this object's own, until the next call.
  std::optional<std::string_view> get(std::string_view name);
  /// The values of all fields of the name, with ", " between them (cookies: "; "). Of set-cookie, whose values have commas, the
  /// first.
  std::optional<std::string> get_joined(std::string_view name);
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
  /// Of what the last change was to do, something was left out because it is hidden.
  bool refused() const noexcept { return veil_ && veil_->refused; }

 private:
  struct Seen {
    std::string_view name, value;
    std::string made;  // the value, where is_made
    bool is_made = false;
    std::string_view text() const noexcept { return is_made ? std::string_view(made) : value; }
  };
  struct Veil {
    const Privacy* privacy;
    Direction side;
    std::vector<Seen> seen{};  // between measure() and write_pairs()
    std::string made{};
    bool refused = false;
  };
  struct Field {  // all of one name: what a guest gives, and what becomes of it
    std::string name;
    std::vector<std::string_view> given;
    std::vector<std::string> values{};
    bool kept = false;  // as it was
  };

  template <typename Visitor>
  void for_each_pseudo(Visitor&& visit) {
    if (request_ != nullptr) {
      visit(":authority", request_->authority());
      visit(":path", request_->path());
      visit(":method", request_->method());
      visit(":scheme", request_->scheme());
    } else if (response_ != nullptr) {
      const int status = response_->status;
      status_text_[0] = static_cast<char>('0' + status / 100 % 10);
      status_text_[1] = static_cast<char>('0' + status / 10 % 10);
      status_text_[2] = static_cast<char>('0' + status % 10);
      visit(":status", std::string_view(status_text_, 3));
    }
  }
  std::optional<std::string_view> find_pseudo(std::string_view lower);
  std::vector<std::string_view> values_of(std::string_view lower) const;
  void look();
  std::optional<std::string_view> get_private(std::string_view lower);
  std::optional<std::string> pseudo_to_write(std::string_view lower, std::string_view value);
  Status change_private(Change how, std::string_view lower, std::string_view value);
  Status check_private(std::string_view lower, std::string_view value) const;
  Status replace_private(std::string_view lower, const std::vector<std::string_view>& given);
  Status set_all_private(const PairViews& pairs);
  bool write_fields(const PairViews& pairs, std::vector<Field>& fields);
  Status check(std::string_view lower, std::string_view value) const;
  Status set_pseudo(std::string_view lower, std::string_view value, bool really);
  void put(Change how, std::string_view lower, std::string_view value);
  bool has_room(size_t kept_bytes, size_t new_bytes) noexcept;
  bool is_pseudo(std::string_view lower) const noexcept;

  HeaderMap* map_ = nullptr;
  RequestHead* request_ = nullptr;
  ResponseHead* response_ = nullptr;
  DirectionState* direction_ = nullptr;
  size_t max_bytes_ = kMaxHeaderMapBytes;
  bool writable_ = false;
  bool full_ = false;
  char status_text_[4] = {};
  std::optional<Veil> veil_;
};

/// The number that callbacks are told of: with pseudo-headers, without what is hidden. Heads are null for trailers.
size_t shown_count(const Privacy* privacy, Direction side, HeaderMap& map, RequestHead* request,
                   ResponseHead* response);

}  // namespace weir::wasm
