#include <charconv>
#include <utility>
#include <weir/grpc.h>

#include "base/strings.h"

namespace weir {
namespace {

constexpr size_t kPrefixBytes = 5;
constexpr unsigned kLastCode = 16;

}  // namespace

bool is_grpc_content_type(std::string_view type) noexcept {
  constexpr std::string_view kGrpc = "application/grpc";
  return type.starts_with(kGrpc) && (type.size() == kGrpc.size() || type[kGrpc.size()] == '+');
}

std::string grpc_message_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%')
      out += c;
    else
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

std::string grpc_message_decode(std::string_view text) { return base::percent_decode(text); }

GrpcCode grpc_code_of_http(int status) noexcept {
  switch (status) {
    case 400:
      return GrpcCode::kInternal;
    case 401:
      return GrpcCode::kUnauthenticated;
    case 403:
      return GrpcCode::kPermissionDenied;
    case 404:
      return GrpcCode::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcCode::kUnavailable;
    default:
      return GrpcCode::kUnknown;
  }
}

GrpcStatus grpc_status_of(const HeaderMap& trailers) {
  const auto text = trailers.get(HeaderId::kGrpcStatus);
  if (!text) return {GrpcCode::kUnknown, "the answer has no grpc-status"};
  unsigned code = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), code);
  const bool known = error == std::errc{} && end == text->data() + text->size();
  GrpcStatus status;
  status.code = known && code <= kLastCode ? static_cast<GrpcCode>(code) : GrpcCode::kUnknown;
  status.message = grpc_message_decode(trailers.get(HeaderId::kGrpcMessage).value_or(""));
  if (status.message.empty() && (!known || code > kLastCode))
    status.message = "the answer's grpc-status is none";
  return status;
}

std::string grpc_timeout(int64_t milliseconds) {
  constexpr int64_t kMost = 99999999;
  constexpr std::pair<char, int64_t> kUnits[] = {
      {'m', 1}, {'S', 1000}, {'M', 60 * 1000}, {'H', 3600 * 1000}};
  for (const auto& [unit, worth] : kUnits)
    if (milliseconds / worth <= kMost) return std::to_string(milliseconds / worth) + unit;
  return std::to_string(kMost) + 'H';
}

std::array<char, 5> grpc_prefix(uint32_t size) noexcept {
  return {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
          static_cast<char>(size >> 8), static_cast<char>(size)};
}

GrpcReader::Next GrpcReader::next(Buffer& message) {
  if (in_.size() < kPrefixBytes) return Next::kMore;
  const std::string_view prefix = in_.linearize(kPrefixBytes);
  uint32_t size = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i)
    size = size << 8 | static_cast<unsigned char>(prefix[i]);
  if (prefix[0] != 0) return Next::kCompressed;
  if (size > max_) return Next::kTooLarge;
  if (in_.size() - kPrefixBytes < size) return Next::kMore;
  in_.drain(kPrefixBytes);
  in_.move_to(message, size);
  return Next::kMessage;
}

}  // namespace weir
