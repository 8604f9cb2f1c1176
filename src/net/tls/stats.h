// Stats of TLS connections by Envoy's names.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/stats.h>

namespace weir::net {
class TransportFactory;
}

namespace weir::net::tls {

/// "listener.<address>.ssl.*" or "cluster.<name>.ssl.*". References stay valid for the life of the process.
struct Stats {
  /// `scope` ends in "ssl."; the counters of ciphers and versions are those that `factory` can negotiate.
  Stats(StatsScope& scope, const TransportFactory& factory);
  /// Counts a finished handshake's cipher or version; names that the factory does not have are not counted.
  void count(std::string_view group, std::string_view name) const noexcept;

  Counter &handshake, &session_reused, &connection_error, &no_certificate;
  Counter &fail_verify_no_cert, &fail_verify_error, &fail_verify_san, &fail_verify_cert_hash;
  Counter &ocsp_staple_failed, &ocsp_staple_omitted, &ocsp_staple_responses, &ocsp_staple_requests;

 private:
  std::vector<std::pair<std::string, Counter*>> negotiated_;  // "ciphers.X", "versions.Y"
};

}  // namespace weir::net::tls
