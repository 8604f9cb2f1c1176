// HeaderMap: the fields of one message, in order, with lower-case names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// Names that weir or everybody uses, interned. The parser finds the id once; later look-ups compare a
/// byte. The texts stand in base/header_map.cc in the same order.
enum class HeaderId : uint8_t {
  kOther = 0,
  kAccept,
  kAcceptEncoding,
  kAcceptLanguage,
  kAge,
  kAuthorization,
  kCacheControl,
  kConnection,
  kContentEncoding,
  kContentLength,
  kContentType,
  kCookie,
  kDate,
  kEtag,
  kExpect,
  kGrpcMessage,
  kGrpcStatus,
  kGrpcTimeout,
  kHost,
  kHttp2Settings,
  kIfModifiedSince,
  kIfNoneMatch,
  kKeepAlive,
  kLastModified,
  kLocation,
  kOrigin,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kRange,
  kReferer,
  kSecWebsocketKey,
  kServer,
  kSetCookie,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kVary,
  kVia,
  kWwwAuthenticate,
  kXEnvoyExpectedRqTimeoutMs,
  kXEnvoyExternalAddress,
  kXEnvoyInternal,
  kXEnvoyOriginalHost,
  kXEnvoyOriginalPath,
  kXEnvoyOverloaded,
  kXEnvoyUpstreamServiceTime,
  kXForwardedClientCert,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedProto,
  kXRequestId,
  kCount_
};

/// The id of a lower-case name, kOther if it is not interned. O(1).
HeaderId header_id(std::string_view lower_name) noexcept;
/// The text of an interned name. Requires: not kOther.
std::string_view header_name(HeaderId id) noexcept;

/// An ordered multimap of header fields. Names are stored in lower case; look-ups take lower-case names.
///
/// Storage is an arena of the map's own: a view taken from it stays valid until clear() or destruction,
/// also across add() and remove(). Not thread-safe.
class HeaderMap {
 public:
  struct Entry {
    std::string_view name;
    std::string_view value;
    HeaderId id = HeaderId::kOther;
  };
  using const_iterator = std::vector<Entry>::const_iterator;

  HeaderMap() = default;
  HeaderMap(HeaderMap&& other) noexcept;
  HeaderMap& operator=(HeaderMap&& other) noexcept;
  HeaderMap(const HeaderMap&) = delete;
  HeaderMap& operator=(const HeaderMap&) = delete;
  ~HeaderMap();

  const_iterator begin() const noexcept { return entries_.begin(); }
  const_iterator end() const noexcept { return entries_.end(); }
  size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  /// Sum of name and value lengths, kept up to date in O(1).
  size_t byte_size() const noexcept { return bytes_; }

  /// First value of the name.
  std::optional<std::string_view> get(HeaderId id) const noexcept;
  std::optional<std::string_view> get(std::string_view lower_name) const noexcept;
  bool has(HeaderId id) const noexcept { return get(id).has_value(); }
  size_t count(std::string_view lower_name) const noexcept;
  /// All values joined with "," (RFC 9110 section 5.3).
  std::string joined(std::string_view lower_name) const;

  /// Appends a field; copies both texts; lower-cases the name. The caller has validated them
  /// (http::valid_header_name / valid_header_value) when they come from outside.
  void add(std::string_view name, std::string_view value);
  void add(HeaderId id, std::string_view value);
  /// Leaves exactly one field of that name, at the place of the first, or appended.
  void set(std::string_view name, std::string_view value);
  void set(HeaderId id, std::string_view value);
  /// Removes all fields of that name; returns how many.
  size_t remove(HeaderId id) noexcept;
  size_t remove(std::string_view lower_name) noexcept;
  /// Removes the entries for which `drop(const Entry&)` is true; returns how many.
  template <typename Predicate>
  size_t remove_if(Predicate&& drop) {
    size_t kept = 0;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (drop(static_cast<const Entry&>(entries_[i]))) {
        bytes_ -= entries_[i].name.size() + entries_[i].value.size();
      } else {
        entries_[kept++] = entries_[i];
      }
    }
    const size_t removed = entries_.size() - kept;
    entries_.resize(kept);
    return removed;
  }
  /// Forgets all fields and keeps the storage for reuse.
  void clear() noexcept;
  void copy_from(const HeaderMap& other);

  /// Raw storage in the map's arena, for parsers that write names and values in place.
  char* allocate(size_t n);
  std::string_view store(std::string_view text);
  /// Appends a field whose texts live in this map's arena or for ever. `name` is lower-case.
  void add_stored(std::string_view name, std::string_view value, HeaderId id);
  /// Bytes of arena in use, replaced and removed texts included: what a limit on changes looks at.
  size_t arena_bytes() const noexcept;

 private:
  std::string_view store_name(std::string_view name, HeaderId& id);
  void set_stored(std::string_view name, std::string_view value, HeaderId id);
  /// The index of the first field of that name at or behind `at`; the number of entries if there is none.
  size_t find_from(size_t at, std::string_view name, HeaderId id) const noexcept;

  struct Chunk;  // arena block, defined in base/header_map.cc
  std::vector<Entry> entries_;
  Chunk* chunks_ = nullptr;  // newest first
  size_t bytes_ = 0;
};

}  // namespace weir
