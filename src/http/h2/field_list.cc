#include "http/h2/field_list.h"

#include "http/chars.h"
#include "http/rules.h"

namespace weir::http::h2 {
namespace {

bool stays_behind(const HeaderMap::Entry& entry) noexcept {
  switch (entry.id) {
    case HeaderId::kConnection:
    case HeaderId::kHost:
    case HeaderId::kHttp2Settings:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTransferEncoding:
    case HeaderId::kUpgrade:
      return true;
    case HeaderId::kTe:
      return !chars::equals_lower(entry.value, "trailers");
    default:
      return !entry.name.empty() && entry.name.front() == ':';
  }
}

/// Values that do not come again. In the peer's table they would only displace what does, and nghttp2 compares every new value
/// with all that the table has of the name.
bool is_unique(const HeaderMap::Entry& entry) noexcept {
  switch (entry.id) {
    case HeaderId::kXRequestId:
    case HeaderId::kXEnvoyUpstreamServiceTime:
    case HeaderId::kGrpcTimeout:
      return true;
    case HeaderId::kOther:
      return entry.name == "traceparent";
    default:
      return false;
  }
}

}  // namespace

void FieldList::add(const HeaderMap::Entry& entry) {
  const uint8_t flags = is_unique(entry) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
  if (entry.id == HeaderId::kOther)
    push(entry.name, entry.value, flags);
  else
    add_known(header_name(entry.id), entry.value, flags);
}

void FieldList::add_status(int status) {
  status_ = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
             static_cast<char>('0' + status % 10)};
  add_known(":status", {status_.data(), status_.size()});
}

void FieldList::add_fields(const HeaderMap& headers) {
  for (const HeaderMap::Entry& entry : headers) {
    if (!stays_behind(entry)) add(entry);
  }
}

void FieldList::remove(std::string_view name) noexcept {
  std::erase_if(fields_, [name](const nghttp2_nv& field) {
    return name == std::string_view(reinterpret_cast<const char*>(field.name), field.namelen);
  });
}

void FieldList::add_trailers(const HeaderMap& trailers) {
  for (const HeaderMap::Entry& entry : trailers) {
    if (!forbidden_in_trailers(entry.id, entry.name)) add(entry);
  }
}

}  // namespace weir::http::h2
