#include "filters/http/grpc_web/base64.h"

namespace weir::filters {

namespace {

constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned char kPadding = 64;
constexpr unsigned char kBad = 255;

constexpr unsigned char value_of(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned char>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned char>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<unsigned char>(c - '0' + 52);
  if (c == '+') return 62;
  if (c == '/') return 63;
  return c == '=' ? kPadding : kBad;
}

char byte(unsigned value) noexcept { return static_cast<char>(value & 255); }

}  // namespace

bool Base64Decoder::decode(std::string_view text, std::string& out) {
  for (const char c : text) {
    const unsigned char value = value_of(c);
    if (value == kBad) return false;
    group_[count_++] = value;
    if (count_ == 4 && !finish_group(out)) return false;
  }
  return true;
}

bool Base64Decoder::finish_group(std::string& out) {
  count_ = 0;
  const unsigned a = group_[0], b = group_[1], c = group_[2], d = group_[3];
  if (a == kPadding || b == kPadding || (c == kPadding && d != kPadding)) return false;
  out += byte(a << 2 | b >> 4);
  if (c == kPadding) return (b & 15) == 0;
  out += byte(b << 4 | c >> 2);
  if (d == kPadding) return (c & 3) == 0;
  out += byte(c << 6 | d);
  return true;
}

void Base64Encoder::encode(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    waiting_[count_++] = static_cast<unsigned char>(c);
    if (count_ == 3) put(out);
  }
}

void Base64Encoder::put(std::string& out) {
  const unsigned a = waiting_[0], b = waiting_[1], c = waiting_[2];
  out += kLetters[a >> 2];
  out += kLetters[(a & 3) << 4 | b >> 4];
  out += count_ > 1 ? kLetters[(b & 15) << 2 | c >> 6] : '=';
  out += count_ > 2 ? kLetters[c & 63] : '=';
  count_ = 0;
}

void Base64Encoder::flush(std::string& out) {
  if (count_ == 0) return;
  for (int i = count_; i < 3; ++i) waiting_[i] = 0;
  put(out);
}

}  // namespace weir::filters
