#include "config/tls.h"

#include <chrono>
#include <utility>

#include "base/digest.h"
#include "base/log.h"
#include "config/tls_contexts.h"
#include "config/tls_parts.h"
#include "net/tls/factory.h"

namespace weir::config {
namespace {

using net::tls::ClientOptions;
using net::tls::Expired;
using net::tls::Made;
using net::tls::ServerOptions;
using Factory = std::shared_ptr<const net::TransportFactory>;

/// The context that a living generation has with the same contents, or a new one.
template <typename Options>
Factory make(View& view, Loading& loading, std::string identity, Options options,
             Result<Made> (*maker)(Options, Expired)) {
  TlsContexts* known = loading.context.tls;
  if (view.failed()) {
    if (known != nullptr) known->count_rejected();
    return nullptr;
  }
  identity = base::sha256_hex(identity);
  if (known != nullptr) {
    if (Factory same = known->find(identity)) return same;
  }
  const bool serving = known != nullptr && known->serving();
  Result<Made> made = maker(std::move(options), serving ? Expired::kRefuse : Expired::kWarn);
  if (!made) {
    view.error({}, made.error().detail);
    if (known != nullptr) known->count_rejected();
    return nullptr;
  }
  for (const std::string& warning : made->warnings)
    WEIR_LOG(kConfig, kWarn, warning, {{"at", view.path()}});
  if (known != nullptr) known->add(identity, made->factory);
  return made->factory;
}

}  // namespace

Factory read_downstream_tls(View& view, const std::string& scope, Loading& loading) {
  ServerOptions options;
  TlsReader reader(view, loading);
  if (auto common = view.required_child("common_tls_context")) {
    reader.read_common(*common, options);
    if (!common->failed() && options.certificates.empty()) common->missing("tls_certificates");
    if (options.validation && !options.validation->names.empty() &&
        !options.validation->trusted_ca && !options.validation->system_roots)
      common->error("validation_context", "names of certificates say nothing without a trusted_ca");
  }
  options.session_scope = scope + "|" + reader.validation_identity();
  options.require_client_certificate = view.boolean("require_client_certificate", false);
  options.require_sni = view.boolean("require_sni", false);
  reader.read_ticket_keys(view, options);
  options.stateful_resumption = !view.boolean("disable_stateful_session_resumption", false);
  const auto timeout = std::chrono::duration_cast<std::chrono::seconds>(
      view.duration("session_timeout", options.session_timeout));
  if (timeout < std::chrono::seconds(1) || timeout > std::chrono::hours(24 * 7))
    view.error("session_timeout", "must be from 1s to 168h");
  options.session_timeout = timeout;
  constexpr net::tls::OcspPolicy kPolicies[] = {
      net::tls::OcspPolicy::kLenient, net::tls::OcspPolicy::kStrict, net::tls::OcspPolicy::kMust};
  options.ocsp_policy = kPolicies[view.enumeration(
      "ocsp_staple_policy", {"LENIENT_STAPLING", "STRICT_STAPLING", "MUST_STAPLE"}, 0)];
  options.full_scan_on_sni_mismatch = view.boolean("full_scan_certs_on_sni_mismatch", false);
  options.prefer_client_ciphers = view.boolean("prefer_client_ciphers", false);
  std::string identity = "server|" + scope + "|" + reader.identity();
  return make(view, loading, std::move(identity), std::move(options), &net::tls::make_server);
}

Factory read_upstream_tls(View& view, Loading& loading) {
  ClientOptions options;
  TlsReader reader(view, loading);
  if (auto common = view.child("common_tls_context")) reader.read_common(*common, options);
  options.sni = view.text("sni");
  if (options.sni.size() > 255) view.error("sni", "longer than 255 bytes");
  options.auto_host_sni = view.boolean("auto_host_sni", false);
  options.auto_sni_san_validation = view.boolean("auto_sni_san_validation", false);
  options.allow_renegotiation = view.boolean("allow_renegotiation", false);
  options.max_session_keys = view.uint32("max_session_keys", 1);
  view.ignore({"enforce_rsa_key_usage"});  // it always is
  return make(view, loading, "client|" + reader.identity(), std::move(options),
              &net::tls::make_client);
}

}  // namespace weir::config
