#include "proxy/listener_filters/http_inspector.h"

#include <algorithm>

#include "http/rules.h"

namespace weir::proxy {

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kMaxMethod = 64;

enum class Found : uint8_t { kMore, kNone, kHttp10, kHttp11, kHttp2 };

// A request line: method, target, version (RFC 9112 section 3). Empty lines before it are skipped, as servers do.
Found look(std::string_view bytes) {
  const size_t common = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, common) == kPreface.substr(0, common))
    return common == kPreface.size() ? Found::kHttp2 : Found::kMore;
  while (!bytes.empty() && (bytes.front() == '\r' || bytes.front() == '\n')) bytes.remove_prefix(1);
  const size_t method = bytes.find(' ');
  if (!http::valid_method(bytes.substr(0, method)) && !bytes.substr(0, method).empty())
    return Found::kNone;
  if (method == std::string_view::npos)
    return bytes.size() > kMaxMethod ? Found::kNone : Found::kMore;
  const size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return Found::kMore;
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (method == 0) return Found::kNone;
  if (line.ends_with(" HTTP/1.1")) return Found::kHttp11;
  return line.ends_with(" HTTP/1.0") ? Found::kHttp10 : Found::kNone;
}

}  // namespace

HttpInspector::HttpInspector(StatsScope& scope)
    : http10_(scope.counter("http_inspector.http10_found")),
      http11_(scope.counter("http_inspector.http11_found")),
      http2_(scope.counter("http_inspector.http2_found")),
      none_(scope.counter("http_inspector.http_not_found")) {}

InspectVerdict HttpInspector::inspect(Inspection& at) const {
  if (at.info.transport_protocol == "tls") return InspectVerdict::kDone;  // nothing to be seen
  Found found = look(at.bytes);
  if (found == Found::kMore) {
    if (at.bytes.size() < max_bytes()) return InspectVerdict::kMore;
    found = Found::kNone;
  }
  auto& protocols = at.info.own_extras().application_protocols;
  switch (found) {
    case Found::kHttp10:
      http10_.inc();
      protocols = {"http/1.0"};
      break;
    case Found::kHttp11:
      http11_.inc();
      protocols = {"http/1.1"};
      break;
    case Found::kHttp2:
      http2_.inc();
      protocols = {"h2c"};
      break;
    default:
      none_.inc();
  }
  return InspectVerdict::kDone;
}

}  // namespace weir::proxy
