#include "http/h2/upgrade.h"

#include <array>

#include "base/digest.h"
#include "base/random.h"
#include "base/strings.h"
#include "http/chars.h"

namespace weir::http::h2 {
namespace {

constexpr std::string_view kKey = "sec-websocket-key";
constexpr size_t kNonceSize = 16;

}  // namespace

void show_as_upgrade(RequestHead& head, std::string_view protocol) {
  HeaderMap& headers = head.headers;
  head.set_stored_method("GET");
  headers.add_stored(header_name(HeaderId::kUpgrade), protocol, HeaderId::kUpgrade);
  if (chars::equals_lower(protocol, "websocket") && !headers.has(HeaderId::kSecWebsocketKey)) {
    std::array<uint8_t, kNonceSize> nonce;
    base::fill_random(nonce);
    headers.add(kKey,
                base::base64_encode({reinterpret_cast<const char*>(nonce.data()), nonce.size()}));
  }
}

std::string_view requested_upgrade(const RequestHead& head) noexcept {
  if (head.method() != "GET") return {};
  return head.headers.get(HeaderId::kUpgrade).value_or(std::string_view());
}

std::string websocket_accept(std::string_view key) {
  const base::Sha1 digest =
      base::sha1(std::string(key).append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
  return base::base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace weir::http::h2
