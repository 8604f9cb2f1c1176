// Rules of HTTP messages that do not depend on the version: characters, targets, hop-by-hop fields, reasons.
#pragma once

#include <string>
#include <string_view>
#include <weir/message.h>
#include <weir/result.h>

namespace weir::http {

/// RFC 9110 token. O(n) table look-up.
bool valid_header_name(std::string_view name) noexcept;
/// No CR, LF, NUL or other control characters except HTAB; obs-text allowed.
bool valid_header_value(std::string_view value) noexcept;
bool valid_method(std::string_view method) noexcept;
/// host[:port], no userinfo, no comma, valid port (RFC 3986 3.2.2 reg-name, IPv4, [IPv6]).
bool valid_authority(std::string_view authority) noexcept;
/// "OK", "Not Found"; "Unknown" for codes without one.
std::string_view reason_phrase(int status) noexcept;

/// Content-length: digits alone, at most 2^63 - 1. False otherwise.
bool parse_content_length(std::string_view text, uint64_t& out) noexcept;
/// RFC 9110 6.5.1: framing, routing, authentication and content fields have no place in trailers.
bool forbidden_in_trailers(HeaderId id, std::string_view name) noexcept;

/// Removes Connection and the fields that it names, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade, TE except
/// "trailers", http2-settings (RFC 9110 7.6.1). Error if Connection names what is no field name, too many fields, or
/// one that must not be removed, because the message would mean another thing without it (host, content-length,
/// x-forwarded-*). kKeep: of an upgrade and its 101, where "upgrade" is the one field of this hop that all layers see.
enum class UpgradeField : bool { kDrop, kKeep };
Result<void> strip_hop_by_hop(HeaderMap& headers, UpgradeField upgrade = UpgradeField::kDrop);

enum class EscapedSlashes : uint8_t {
  kKeepUnchanged,
  kRejectRequest,
  kUnescapeAndRedirect,
  kUnescapeAndForward
};
struct PathOptions {
  bool normalize =
      true;  // weir's default; dot segments, %2e and unreserved escapes (RFC 3986 6.2.2)
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::kKeepUnchanged;
};
enum class PathOutcome : uint8_t { kUnchanged, kChanged, kRedirect };
/// Normalises a path with query in `path`. Error: bad escapes, %00, a path above the root, a fragment.
Result<PathOutcome> normalize_path(std::string_view path, const PathOptions& options,
                                   std::string& out);
/// Authority in lower case, without trailing dot / port as asked.
struct HostOptions {
  bool strip_any_port = false;
  bool strip_matching_port = false;
  uint16_t listener_port = 0;
  bool strip_trailing_dot = false;
};
std::string normalize_host(std::string_view authority, const HostOptions& options);

}  // namespace weir::http
