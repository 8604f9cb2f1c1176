// What happens to a request's head before any filter sees it, and to a response's head after the last.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <weir/connection_info.h>
#include <weir/http_filter.h>

#include "net/address.h"
#include "proxy/chain_runtime.h"

namespace weir::proxy {

/// The connection as far as a request's preparation needs it.
struct PeerFacts {
  std::string_view remote_ip;    // of the socket
  std::string_view remote_text;  // "ip:port"
  const TlsInfo* tls = nullptr;  // null: the bytes came as they are
};

/// Strings that preparation uses again for every request of a stream object.
struct PrepScratch {
  std::string text;
  std::string trusted_address;  // "ip:port" of the client that XFF tells of
};

/// Checks and changes `head`: authority and path as routing will see them, hop-by-hop fields, x-forwarded-*, x-request-id,
/// via, Envoy's internal fields. Fills the downstream addresses of `info`. Returns an answer if the request is refused;
/// with `close`, the connection cannot go on after it.
struct Refusal {
  LocalReply reply;
  bool close = false;
};
std::optional<Refusal> prepare_request(RequestHead& head, StreamInfo& info,
                                       const ChainRuntime& runtime, const PeerFacts& peer,
                                       PrepScratch& scratch);

/// Removes hop-by-hop fields and adds date, server, via and x-request-id as configured.
void prepare_response(ResponseHead& head, const RequestHead& request, const HcmOptions& hcm,
                      SystemTime now, std::string& scratch);

}  // namespace weir::proxy
