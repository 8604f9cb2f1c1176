#include "net/tls/stats.h"

#include "net/transport.h"

namespace weir::net::tls {

Stats::Stats(StatsScope& scope, const TransportFactory& factory)
    : handshake(scope.counter("handshake")),
      session_reused(scope.counter("session_reused")),
      connection_error(scope.counter("connection_error")),
      no_certificate(scope.counter("no_certificate")),
      fail_verify_no_cert(scope.counter("fail_verify_no_cert")),
      fail_verify_error(scope.counter("fail_verify_error")),
      fail_verify_san(scope.counter("fail_verify_san")),
      fail_verify_cert_hash(scope.counter("fail_verify_cert_hash")),
      ocsp_staple_failed(scope.counter("ocsp_staple_failed")),
      ocsp_staple_omitted(scope.counter("ocsp_staple_omitted")),
      ocsp_staple_responses(scope.counter("ocsp_staple_responses")),
      ocsp_staple_requests(scope.counter("ocsp_staple_requests")) {
  for (std::string& name : factory.negotiable()) {
    Counter& counter = scope.counter(name);
    negotiated_.emplace_back(std::move(name), &counter);
  }
}

void Stats::count(std::string_view group, std::string_view name) const noexcept {
  for (const auto& [full, counter] : negotiated_) {
    if (full.size() == group.size() + name.size() && full.starts_with(group) &&
        full.ends_with(name))
      return counter->inc();
  }
}

}  // namespace weir::net::tls
