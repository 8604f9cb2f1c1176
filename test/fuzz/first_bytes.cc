// What listener filters read from clients that nobody knows yet: ClientHellos and PROXY protocol headers. Byte 0 chooses which.
//
// Properties: a prefix is never judged other than the whole, except as too short; a header that was understood says its own
// size, and is understood again when it is written anew.
#include <string>

#include "fuzz/require.h"
#include "net/proxy_header.h"
#include "proxy/listener_filters/client_hello.h"

namespace {

using namespace weir;
using weir::fuzz::require;

void fuzz_hello(std::string_view bytes) {
  constexpr size_t kMax = 4096;
  proxy::ClientHello whole;
  const auto result = proxy::parse_client_hello(bytes, kMax, whole);
  for (const size_t cut : {bytes.size() / 3, bytes.size() / 2}) {
    proxy::ClientHello part;
    const auto early = proxy::parse_client_hello(bytes.substr(0, cut), kMax, part);
    require(early == result || early == proxy::HelloParse::kMore,
            "a prefix says the same or waits");
  }
  require(whole.server_name.size() <= kMax, "a name is part of the message");
}

void fuzz_header(std::string_view bytes) {
  net::ProxyHeader header;
  const auto result = net::parse_proxy_header(bytes, header);
  net::ProxyHeader part;
  const auto early = net::parse_proxy_header(bytes.substr(0, bytes.size() / 2), part);
  require(early == result || early == net::ProxyParse::kMore, "a prefix says the same or waits");
  if (result != net::ProxyParse::kDone) return;
  require(header.size <= bytes.size(), "what was not seen is not consumed");
  if (header.local) return;
  const std::string again =
      header.version == net::ProxyVersion::kV1
          ? net::proxy_header_v1(header.source, header.destination)
          : net::proxy_header_v2(header.source, header.destination, header.tlvs);
  net::ProxyHeader second;
  require(net::parse_proxy_header(again, second) == net::ProxyParse::kDone &&
              again.size() == second.size,
          "what is written is read");
  require(second.local || (second.source == header.source &&
                           second.destination == header.destination && second.tlvs == header.tlvs),
          "and means the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  data[0] % 2 == 0 ? fuzz_hello(bytes) : fuzz_header(bytes);
  return 0;
}
