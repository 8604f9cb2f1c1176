#include "proxy/listener_filters/client_hello.h"

#include "base/strings.h"

namespace weir::proxy {

namespace {

constexpr size_t kRecordHeader = 5;
constexpr size_t kMaxRecord = 16384;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kClientHello = 1;
constexpr uint16_t kServerName = 0;
constexpr uint16_t kAlpn = 16;

/// A text that is eaten from the front; what is not there makes it bad.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  uint32_t number(unsigned bytes) noexcept {
    uint32_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  std::string_view take(size_t size) noexcept {
    if (size > rest_.size()) {
      bad_ = true;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  /// A vector that its length in `bytes` bytes stands before.
  std::string_view sized(unsigned bytes) noexcept { return take(number(bytes)); }
  bool empty() const noexcept { return rest_.empty(); }
  bool bad() const noexcept { return bad_; }

 private:
  std::string_view rest_;
  bool bad_ = false;
};

/// Puts together the handshake messages of the records; kDone: `message` holds one whole ClientHello, without its header.
HelloParse gather(std::string_view bytes, size_t max_size, std::string& message) {
  while (true) {
    if (!message.empty() && static_cast<uint8_t>(message[0]) != kClientHello)
      return HelloParse::kInvalid;
    if (message.size() >= 4) {
      Reader header(std::string_view(message).substr(1));
      const size_t size = header.number(3);
      if (size > max_size) return HelloParse::kTooLarge;
      if (message.size() - 4 >= size) {
        message = message.substr(4, size);
        return HelloParse::kDone;
      }
    }
    if (!bytes.empty() && static_cast<uint8_t>(bytes[0]) != kHandshake)
      return message.empty() ? HelloParse::kNotTls : HelloParse::kInvalid;
    if (bytes.size() > 1 && bytes[1] != 3)
      return message.empty() ? HelloParse::kNotTls : HelloParse::kInvalid;
    if (bytes.size() < kRecordHeader) return HelloParse::kMore;
    Reader record(bytes.substr(3));
    const size_t size = record.number(2);
    if (size == 0 || size > kMaxRecord) return HelloParse::kInvalid;
    // A record that is not whole yet says already what kind and size the message has.
    const std::string_view content = bytes.substr(kRecordHeader, size);
    message += content;
    if (content.size() < size) {
      if (message.size() >= 1 && static_cast<uint8_t>(message[0]) != kClientHello)
        return HelloParse::kInvalid;
      if (message.size() < 4) return HelloParse::kMore;
      Reader header(std::string_view(message).substr(1));
      return header.number(3) > max_size ? HelloParse::kTooLarge : HelloParse::kMore;
    }
    bytes.remove_prefix(kRecordHeader + size);
  }
}

bool read_server_name(std::string_view extension, ClientHello& out) {
  Reader list(Reader(extension).sized(2));
  while (!list.empty() && !list.bad()) {
    const uint32_t type = list.number(1);
    const std::string_view name = list.sized(2);
    if (type == 0 && out.server_name.empty()) out.server_name = base::lower(name);
  }
  // A name that holds more than a host name does matches none.
  return !list.bad() && out.server_name.find('\0') == std::string::npos;
}

bool read_protocols(std::string_view extension, ClientHello& out) {
  Reader list(Reader(extension).sized(2));
  while (!list.empty() && !list.bad()) out.protocols.emplace_back(list.sized(1));
  return !list.bad();
}

bool read_hello(std::string_view message, ClientHello& out) {
  Reader hello(message);
  hello.take(2 + 32);  // legacy_version, random
  hello.sized(1);      // session id
  hello.sized(2);      // cipher suites
  hello.sized(1);      // compression methods
  if (hello.bad()) return false;
  if (hello.empty()) return true;  // TLS 1.0 without extensions
  Reader extensions(hello.sized(2));
  while (!extensions.empty() && !extensions.bad()) {
    const uint32_t type = extensions.number(2);
    const std::string_view content = extensions.sized(2);
    if (extensions.bad()) break;
    if (type == kServerName && !read_server_name(content, out)) return false;
    if (type == kAlpn && !read_protocols(content, out)) return false;
  }
  return !hello.bad() && !extensions.bad();
}

}  // namespace

HelloParse parse_client_hello(std::string_view bytes, size_t max_size, ClientHello& out) {
  std::string message;
  const HelloParse gathered = gather(bytes, max_size, message);
  if (gathered != HelloParse::kDone) return gathered;
  return read_hello(message, out) ? HelloParse::kDone : HelloParse::kInvalid;
}

}  // namespace weir::proxy
