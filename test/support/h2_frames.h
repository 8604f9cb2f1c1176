// Frames of HTTP/2 written by hand, for peers that do not keep to the rules.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::testing::h2 {

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr uint8_t kEndStream = 1;
inline constexpr uint8_t kAck = 1;
inline constexpr uint8_t kEndHeaders = 4;
inline constexpr uint8_t kPadded = 8;
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number(uint32_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    text += static_cast<char>(value >> shift);
  return text;
}

inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream,
                         std::string_view payload = {}) {
  std::string text = number(static_cast<uint32_t>(payload.size()), 3);
  text += static_cast<char>(type);
  text += static_cast<char>(flags);
  return text.append(number(stream, 4)).append(payload);
}

/// HPACK without compression: a literal that is not indexed (RFC 7541 6.2.2). Texts below 16 KiB.
inline std::string field(std::string_view name, std::string_view value) {
  const auto text = [](std::string_view bytes) {
    std::string out;
    size_t size = bytes.size();
    if (size < 127) {
      out += static_cast<char>(size);
    } else {
      out += static_cast<char>(127);
      for (size -= 127; size >= 128; size /= 128) out += static_cast<char>(size % 128 + 128);
      out += static_cast<char>(size);
    }
    return out.append(bytes);
  };
  return std::string(1, '\0').append(text(name)).append(text(value));
}
using Fields = std::vector<std::pair<std::string, std::string>>;
inline std::string block(const Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += field(name, value);
  return text;
}
inline Fields get(const Fields& more = {}, std::string_view path = "/") {
  Fields fields{
      {":method", "GET"}, {":scheme", "http"}, {":path", std::string(path)}, {":authority", "h"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
inline std::string headers(uint32_t stream, const Fields& fields, uint8_t flags = kEndStream) {
  return frame(kHeaders, static_cast<uint8_t>(flags | kEndHeaders), stream, block(fields));
}
inline std::string data(uint32_t stream, std::string_view bytes, uint8_t flags = 0) {
  return frame(kData, flags, stream, bytes);
}
inline std::string settings(std::initializer_list<std::pair<uint16_t, uint32_t>> entries = {}) {
  std::string payload;
  for (const auto& [id, value] : entries) payload.append(number(id, 2)).append(number(value, 4));
  return frame(kSettings, 0, 0, payload);
}
inline std::string rst(uint32_t stream, uint32_t error) {
  return frame(kRstStream, 0, stream, number(error, 4));
}
inline std::string window_update(uint32_t stream, uint32_t increment) {
  return frame(kWindowUpdate, 0, stream, number(increment, 4));
}
inline std::string ping(uint8_t flags = 0) { return frame(kPing, flags, 0, "12345678"); }
inline std::string goaway(uint32_t last, uint32_t error) {
  return frame(kGoaway, 0, 0, number(last, 4) + number(error, 4));
}

struct Frame {
  uint8_t type;
  uint8_t flags;
  uint32_t stream;
  std::string payload;
  /// The error code of RST_STREAM and GOAWAY, the value of WINDOW_UPDATE.
  uint32_t code() const {
    const size_t at = type == kGoaway ? 4 : 0;
    uint32_t value = 0;
    for (size_t i = at; i < at + 4 && i < payload.size(); ++i)
      value = value << 8 | static_cast<uint8_t>(payload[i]);
    return value;
  }
};
inline std::vector<Frame> parse(std::string_view wire) {
  std::vector<Frame> frames;
  if (wire.substr(0, kPreface.size()) == kPreface) wire.remove_prefix(kPreface.size());
  const auto byte = [&wire](size_t i) {
    return static_cast<uint32_t>(static_cast<uint8_t>(wire[i]));
  };
  while (wire.size() >= 9) {
    const uint32_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    Frame frame{static_cast<uint8_t>(byte(3)), static_cast<uint8_t>(byte(4)),
                byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8),
                std::string(wire.substr(9, size))};
    frames.push_back(std::move(frame));
    wire.remove_prefix(9 + size < wire.size() ? 9 + size : wire.size());
  }
  return frames;
}

}  // namespace weir::testing::h2
