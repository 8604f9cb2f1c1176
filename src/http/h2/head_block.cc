#include "http/h2/head_block.h"

#include <cstring>

#include "http/chars.h"
#include "http/h2/upgrade.h"
#include "http/rules.h"

namespace weir::http::h2 {
namespace {

constexpr size_t kBombFactor = 16;

/// RFC 9113 8.2.1: lower case, no empty name.
bool valid_name(std::string_view name) noexcept {
  if (name.empty()) return false;
  for (const char c : name) {
    if (chars::kLowerToken[static_cast<uint8_t>(c)] != c || c == 0) return false;
  }
  return true;
}

bool valid_value(std::string_view value) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  return value.empty() ||
         (chars::all_value(value) && !blank(value.front()) && !blank(value.back()));
}

bool equal_hosts(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (chars::lower(a[i]) != chars::lower(b[i])) return false;
  }
  return true;
}

}  // namespace

void HeadBlock::begin(Kind kind) noexcept {
  kind_ = kind;
  head_.clear();
  status_ = 0;
  malformed_ = refused_ = kNoFault;
  bytes_ = count_ = 0;
  length_ = -1;
  fields_begun_ = expects_ = expects_continue_ = has_te_ = false;
  method_ = path_ = scheme_ = authority_ = protocol_ = host_ = expect_ = {};
  crumbs_.clear();
}

bool HeadBlock::bomb() const noexcept {
  return bytes_ / kBombFactor > codec_.max_header_bytes ||
         count_ / kBombFactor > codec_.max_header_count;
}

bool HeadBlock::within_limits(bool pseudo, size_t bytes) {
  bytes_ += bytes;
  if (!pseudo) ++count_;
  if (bytes_ > codec_.max_header_bytes) {
    refuse(Code::kHeadersTooLarge, "head too large");
    return false;
  }
  if (count_ > codec_.max_header_count) {
    refuse(Code::kTooManyHeaders, "too many header fields");
    return false;
  }
  return true;
}

void HeadBlock::add(std::string_view name, std::string_view value) {
  const bool pseudo = !name.empty() && name.front() == ':';
  if (!within_limits(pseudo, name.size() + value.size()) || malformed_) return;
  if (!valid_value(value)) return fault("invalid character in a field value");
  if (pseudo) return add_pseudo(name.substr(1), value);
  fields_begun_ = true;
  const HeaderId id = header_id(name);
  if (id == HeaderId::kOther && !valid_name(name)) return fault("invalid field name");
  if (kind_ != Kind::kResponse && codec_.underscores != UnderscoreAction::kAllow &&
      name.find('_') != std::string_view::npos)
    return note_underscore();
  if (kind_ == Kind::kTrailers) {
    if (forbidden_in_trailers(id, name)) return fault("forbidden trailer field");
  } else if (id != HeaderId::kOther && !note(id, value)) {
    return;
  }
  HeaderMap& headers = head_.headers;
  headers.add_stored(id == HeaderId::kOther ? headers.store(name) : header_name(id),
                     headers.store(value), id);
}

void HeadBlock::note_underscore() {
  if (codec_.underscores == UnderscoreAction::kRejectRequest) {
    stats_.requests_rejected_with_underscores_in_headers.inc();
    refuse(Code::kProtocol, "underscore in a field name");
  } else {
    stats_.dropped_headers_with_underscores.inc();
  }
}

void HeadBlock::set_once(std::string_view& place, std::string_view value) {
  if (!place.empty()) return fault("repeated pseudo-header");
  if (value.empty()) return fault("empty pseudo-header");
  place = head_.headers.store(value);
}

void HeadBlock::add_pseudo(std::string_view name, std::string_view value) {
  if (fields_begun_) return fault("pseudo-header after a field");
  if (kind_ == Kind::kRequest) {
    if (name == "method") return set_once(method_, value);
    if (name == "path") return set_once(path_, value);
    if (name == "scheme") return set_once(scheme_, value);
    if (name == "authority") return set_once(authority_, value);
    if (name == "protocol" && options_.allow_connect) return set_once(protocol_, value);
  } else if (kind_ == Kind::kResponse && name == "status" && status_ == 0) {
    constexpr size_t kDigits = 3;
    if (value.size() != kDigits || !chars::all(value, chars::kDigit))
      return fault("malformed status");
    status_ = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    if (status_ < 100 || status_ > 599 || status_ == 101) fault("status out of range");
    return;
  }
  fault("unknown or repeated pseudo-header");
}

/// Notes a field that matters to the codec; false: it does not go into the map.
bool HeadBlock::note(HeaderId id, std::string_view value) {
  const bool request = kind_ == Kind::kRequest;
  switch (id) {
    case HeaderId::kConnection:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTransferEncoding:
    case HeaderId::kUpgrade:
    case HeaderId::kHttp2Settings:
      fault("connection-specific field");  // RFC 9113 8.2.2
      return false;
    case HeaderId::kTe:
      if (has_te_ || !chars::equals_lower(value, "trailers")) fault("te other than trailers");
      has_te_ = true;
      return true;
    case HeaderId::kContentLength: {
      // RFC 9110 8.6: these have none; what a response to CONNECT says of it means nothing, which is for its receiver to know.
      if (kind_ == Kind::kResponse && status_ < 200) return false;
      uint64_t length = 0;
      if (length_ >= 0 || !parse_content_length(value, length)) fault("invalid content-length");
      length_ = static_cast<int64_t>(length);
      if (kind_ != Kind::kResponse || status_ != 204) return true;
      if (length != 0) fault("content-length of a response without a body");
      return false;
    }
    case HeaderId::kHost:
      if (!request) return true;
      if (!host_.empty()) fault("repeated host");
      host_ = head_.headers.store(value);
      return false;
    case HeaderId::kCookie:
      if (!request) return true;
      crumbs_.push_back(head_.headers.store(value));
      return false;
    case HeaderId::kExpect:
      if (!request) return true;
      if (expects_) refuse(Code::kExpectationFailed, "unknown expectation");
      expects_ = true;
      expect_ = head_.headers.store(value);
      return false;
    default:
      return true;
  }
}

void HeadBlock::finish(EndStream end) {
  const bool ends = end == EndStream::kYes;
  switch (kind_) {
    case Kind::kRequest:
      finish_request();
      if (ends && length_ > 0) fault("content-length without a body");
      break;
    case Kind::kResponse:
      if (status_ == 0) fault("missing status");
      if (status_ < 200 && ends) fault("informational response that ends the stream");
      break;
    case Kind::kTrailers:
      if (!ends) fault("trailers that do not end the stream");  // RFC 9113 8.1
      break;
  }
}

void HeadBlock::finish_request() {
  head_.set_stored_method(method_);
  head_.set_stored_path(path_);
  head_.set_stored_scheme("http");
  resolve_authority();
  // Behind a limit fields are missing: what they would have said is not known.
  if (malformed_ || refused_) return;
  join_cookies();
  resolve_target();
  if (expects_) {
    if (!chars::equals_lower(expect_, "100-continue"))
      refuse(Code::kExpectationFailed, "unknown expectation");
    expects_continue_ = true;
  }
  if (!malformed_ && !refused_ && upgrade()) resolve_upgrade();
}

/// RFC 9113 8.2.3: crumbs are one field. Empty ones add nothing: a value that ends with "; " is read without its blank elsewhere.
void HeadBlock::join_cookies() {
  if (crumbs_.empty()) return;
  const std::string_view first = crumbs_.front();
  std::erase_if(crumbs_, [](std::string_view crumb) { return crumb.empty(); });
  if (crumbs_.empty()) crumbs_.push_back(first);
  HeaderMap& headers = head_.headers;
  std::string_view joined = crumbs_.front();
  if (crumbs_.size() > 1) {
    size_t size = 2 * (crumbs_.size() - 1);
    for (const std::string_view crumb : crumbs_) size += crumb.size();
    char* const text = headers.allocate(size);
    char* at = text;
    for (const std::string_view crumb : crumbs_) {
      if (at != text) {
        *at++ = ';';
        *at++ = ' ';
      }
      at = std::copy(crumb.begin(), crumb.end(), at);
    }
    joined = {text, size};
  }
  headers.add_stored(header_name(HeaderId::kCookie), joined, HeaderId::kCookie);
}

/// RFC 9113 8.3.1: :authority and Host say the same or the request is refused.
void HeadBlock::resolve_authority() {
  if (authority_.empty()) {
    authority_ = host_;
  } else if (!host_.empty() && !equal_hosts(authority_, host_)) {
    refuse(Code::kProtocol, "host that is not :authority");
  }
  head_.set_stored_authority(authority_);
  // Behind a limit it may have been among what was not stored.
  if (authority_.empty()) return refused_ ? void() : fault("missing host");
  if (!valid_authority(authority_)) refuse(Code::kProtocol, "invalid host");
}

void HeadBlock::resolve_target() {
  if (method_.empty()) return fault("missing method");
  if (!valid_method(method_)) return fault("malformed method");
  if (method_ == "TRACE") return refuse(Code::kProtocol, "TRACE is not served");
  if (method_ == "CONNECT" && !upgrade()) {
    if (!path_.empty() || !scheme_.empty()) return fault("CONNECT with a path");
    if (authority_.find(':') == std::string_view::npos || authority_.back() == ']')
      return refuse(Code::kProtocol, "CONNECT needs host and port");
    if (length_ >= 0) refuse(Code::kProtocol, "CONNECT with a body");
    return;
  }
  if (upgrade() && method_ != "CONNECT") return fault(":protocol needs CONNECT");
  if (chars::equals_lower(scheme_, "https")) {
    head_.set_stored_scheme("https");
  } else if (!chars::equals_lower(scheme_, "http")) {
    return scheme_.empty() ? fault("missing scheme")
                           : refuse(Code::kProtocol, "unknown scheme in the request target");
  }
  const bool asterisk = path_ == "*" && method_ == "OPTIONS";
  if (path_.empty() || (path_.front() != '/' && !asterisk) ||
      chars::target_prefix(path_) != path_.size())
    fault("malformed path");
}

void HeadBlock::resolve_upgrade() {
  if (!valid_header_name(protocol_)) return fault("malformed :protocol");
  show_as_upgrade(head_, protocol_);
}

}  // namespace weir::http::h2
