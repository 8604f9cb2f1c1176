#include "http/h1/request_head.h"

#include <string>

#include "http/chars.h"
#include "http/rules.h"

namespace weir::http::h1 {
namespace {

/// RFC 9112 3.2.2. The authority of the target wins over Host.
Fault resolve_absolute(std::string_view target, std::string_view method,
                       const CodecOptions& options, RequestHead& head) {
  if (!options.allow_absolute_url) return malformed("absolute request target is not allowed");
  const size_t colon = target.find("://");
  if (colon == std::string_view::npos) return malformed("malformed request target");
  const std::string_view scheme = target.substr(0, colon);
  if (chars::equals_lower(scheme, "http")) {
    head.set_stored_scheme("http");
  } else if (chars::equals_lower(scheme, "https")) {
    head.set_stored_scheme("https");
  } else {
    return malformed("unknown scheme in the request target");
  }
  const std::string_view rest = target.substr(colon + 3);
  const size_t end = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, end);
  if (!valid_authority(authority)) return malformed("invalid authority in the request target");
  head.set_stored_authority(authority);
  if (end == std::string_view::npos) {
    head.set_stored_path(method == "OPTIONS" ? "*" : "/");  // RFC 9112 3.2.4
  } else if (rest[end] == '/') {
    head.set_stored_path(rest.substr(end));
  } else {
    const std::string_view query = rest.substr(end);
    char* const path = head.headers.allocate(query.size() + 1);
    path[0] = '/';
    query.copy(path + 1, query.size());
    head.set_stored_path({path, query.size() + 1});
  }
  return kNoFault;
}

Fault resolve_target(const RequestLine& line, const CodecOptions& options, RequestHead& head) {
  head.set_stored_method(line.method);
  head.set_stored_scheme("http");
  if (line.method == "CONNECT") {
    if (!valid_authority(line.target) || line.target.find(':') == std::string_view::npos ||
        line.target.back() == ']')
      return malformed("CONNECT needs host and port");
    head.set_stored_authority(line.target);
    return kNoFault;
  }
  if (line.target.front() == '/') {
    head.set_stored_path(line.target);
    return kNoFault;
  }
  if (line.target == "*") {
    if (line.method != "OPTIONS") return malformed("request target * needs OPTIONS");
    head.set_stored_path("*");
    return kNoFault;
  }
  return resolve_absolute(line.target, line.method, options, head);
}

Fault resolve_host(const FieldFacts& facts, Protocol protocol, const CodecOptions& options,
                   RequestHead& head) {
  if (facts.hosts > 1) return malformed("repeated host");
  std::string_view host = facts.host;
  if (facts.hosts == 0) {
    if (protocol != Protocol::kHttp10) return malformed("missing host");
    if (!head.authority().empty()) return kNoFault;
    if (options.default_host_for_http_10.empty()) return malformed("missing host");
    head.set_authority(options.default_host_for_http_10);
    return kNoFault;
  }
  if (!valid_authority(host)) return malformed("invalid host");
  if (head.authority().empty()) head.set_stored_authority(host);
  return kNoFault;
}

/// Removes the tokens for which `drop` is true from every value of `id`, and fields that become empty.
template <typename Drop>
size_t drop_tokens(HeaderMap& headers, HeaderId id, Drop drop) {
  size_t dropped = 0;
  std::string kept;
  for (const HeaderMap::Entry& entry : headers) {
    if (entry.id != id) continue;
    std::string_view list = entry.value;
    while (!list.empty()) {
      const std::string_view token = chars::next_element(list);
      if (drop(token)) {
        ++dropped;
      } else if (!token.empty()) {
        if (!kept.empty()) kept.append(", ");
        kept.append(token);
      }
    }
  }
  if (dropped == 0) return 0;
  if (kept.empty()) {
    headers.remove(id);
  } else {
    headers.set(id, kept);
  }
  return dropped;
}

/// "Upgrade: h2c" is not served and must not reach an upstream that serves it.
void drop_h2c(HeaderMap& headers) {
  headers.remove(HeaderId::kHttp2Settings);
  drop_tokens(headers, HeaderId::kUpgrade,
              [](std::string_view token) { return chars::equals_lower(token, "h2c"); });
  drop_tokens(headers, HeaderId::kConnection,
              [](std::string_view token) { return chars::equals_lower(token, "http2-settings"); });
}

bool offers_protocol(const HeaderMap& headers) {
  for (const HeaderMap::Entry& entry : headers) {
    if (entry.id != HeaderId::kUpgrade) continue;
    std::string_view list = entry.value;
    while (!list.empty())
      if (!chars::next_element(list).empty()) return true;
  }
  return false;
}

/// Leaves an "upgrade" field only where it counts, and takes it out of "connection": the form in which all layers above see an
/// upgrade. RFC 9110 7.8 has it ignored in HTTP/1.0 and without the connection option, and allows to ignore it where
/// a body would stand between the request and the new protocol.
void resolve_upgrade(HeaderMap& headers, RequestFacts& out) {
  const size_t options = drop_tokens(headers, HeaderId::kConnection, [](std::string_view token) {
    return chars::equals_lower(token, "upgrade");
  });
  if (options > 0 && out.protocol == Protocol::kHttp11 && out.framing.kind == BodyKind::kNone &&
      out.asks == Switch::kNone && offers_protocol(headers)) {
    out.asks = Switch::kUpgrade;
  } else {
    headers.remove(HeaderId::kUpgrade);
  }
}

Fault resolve_expect(const FieldFacts& facts, RequestFacts& out) {
  if (facts.expects == 0) return kNoFault;
  if (facts.expects > 1 || !chars::equals_lower(facts.expect, "100-continue"))
    return Fault{Code::kExpectationFailed, "unknown expectation"};
  // RFC 9110 10.1.1: HTTP/1.0 has no 100, and without a body nobody waits for it.
  out.expects_continue = out.protocol == Protocol::kHttp11 && out.framing.kind != BodyKind::kNone;
  return kNoFault;
}

}  // namespace

Fault check_request_line(std::string_view line, const CodecOptions& options, RequestLine& out) {
  if (Fault fault = parse_request_line(line, out)) return fault;
  if (out.protocol == Protocol::kHttp10 && !options.accept_http_10)
    return Fault{Code::kBadVersion, "HTTP/1.0 is not accepted"};
  // It would echo credentials that proxies add, and is of no use through one.
  if (out.method == "TRACE") return malformed("TRACE is not served");
  return kNoFault;
}

Fault parse_request_head(char* text, size_t size, size_t first_line, const CodecOptions& options,
                         RequestHead& head, RequestFacts& out) {
  RequestLine line;
  if (Fault fault = check_request_line({text, first_line}, options, line)) return fault;
  out.protocol = line.protocol;
  out.head_method = line.method == "HEAD";
  if (Fault fault = resolve_target(line, options, head)) return fault;

  FieldFacts facts;
  const size_t fields = first_line + 2;
  if (Fault fault = parse_fields(text + fields, size - fields, Section::kRequest, options,
                                 head.headers, facts))
    return fault;
  if (Fault fault = request_framing(facts, line.protocol, out.framing)) return fault;
  if (Fault fault = resolve_host(facts, line.protocol, options, head)) return fault;
  if (line.method == "CONNECT") {
    if (out.framing.kind != BodyKind::kNone) return malformed("CONNECT with a body");
    out.asks = Switch::kConnect;
  }
  if (Fault fault = resolve_expect(facts, out)) return fault;
  if (facts.upgrade || facts.http2_settings) {
    drop_h2c(head.headers);
    resolve_upgrade(head.headers, out);
  }
  // A length of 0 would be taken for that of what comes after the switch.
  if (out.asks != Switch::kNone && facts.content_lengths > 0)
    head.headers.remove(HeaderId::kContentLength);
  const bool keep = line.protocol == Protocol::kHttp11 || facts.connection_keep_alive;
  out.keep_alive = keep && !facts.connection_close ? KeepAlive::kYes : KeepAlive::kNo;
  return kNoFault;
}

}  // namespace weir::http::h1
