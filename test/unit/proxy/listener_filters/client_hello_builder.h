// ClientHellos as bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::proxy::test {

inline std::string number(size_t value, unsigned bytes) {
  std::string out;
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}
inline std::string sized(std::string_view text, unsigned bytes) {
  return number(text.size(), bytes) + std::string(text);
}

/// The handshake message.
inline std::string hello_message(std::string_view server_name,
                                 const std::vector<std::string>& protocols, size_t padding = 0) {
  std::string extensions;
  if (padding > 0) extensions += number(21, 2) + sized(std::string(padding, '\0'), 2);
  if (!server_name.empty())
    extensions += number(0, 2) + sized(sized(number(0, 1) + sized(server_name, 2), 2), 2);
  if (!protocols.empty()) {
    std::string list;
    for (const std::string& each : protocols) list += sized(each, 1);
    extensions += number(16, 2) + sized(sized(list, 2), 2);
  }
  const std::string body = number(0x0303, 2) + std::string(32, 'r') + sized("", 1) +
                           sized(number(0x1301, 2), 2) + sized(std::string(1, '\0'), 1) +
                           sized(extensions, 2);
  return number(1, 1) + sized(body, 3);
}

/// In records of `record` bytes.
inline std::string in_records(std::string_view message, size_t record = 16384) {
  std::string out;
  while (!message.empty()) {
    const std::string_view part = message.substr(0, record);
    out += number(22, 1) + number(0x0301, 2) + sized(part, 2);
    message.remove_prefix(part.size());
  }
  return out;
}

}  // namespace weir::proxy::test
