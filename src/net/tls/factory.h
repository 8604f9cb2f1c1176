// The entrance of TLS: factories of transports from options.
#pragma once

#include <memory>
#include <string>
#include <vector>
#include <weir/result.h>

#include "net/tls/options.h"
#include "net/transport.h"

namespace weir::net::tls {

/// What a certificate that has expired does: a process that starts serves with it, an edit that brings it is refused.
enum class Expired : uint8_t { kWarn, kRefuse };

struct Made {
  std::shared_ptr<const TransportFactory> factory;
  std::vector<std::string> warnings{};
};

/// Errors (kConfig) say the file and OpenSSL's reason: no certificate in it, a key that does not fit, an unknown cipher.
/// Thread: any. The factories may outlive everything else.
Result<Made> make_server(ServerOptions options, Expired expired = Expired::kWarn);
Result<Made> make_client(ClientOptions options, Expired expired = Expired::kWarn);

}  // namespace weir::net::tls
