#include "proxy/chain_runtime.h"

#include <utility>

#include "base/strings.h"

namespace weir::proxy {

std::string stat_prefix_of(const ListenerOptions& listener, const net::Address& bound) {
  return listener.stat_prefix.empty() ? listener_stat_name(bound.to_string())
                                      : listener.stat_prefix;
}

Result<std::shared_ptr<const ChainRuntime>> ChainRuntime::make(
    std::shared_ptr<const ListenerOptions> listener,
    std::shared_ptr<const FilterChainOptions> chain, const net::Address& bound, uint64_t generation,
    stats::Store& store, AccessLogWriter& logs) {
  std::unique_ptr<ChainRuntime> runtime(
      new ChainRuntime(std::move(listener), std::move(chain), generation));
  const net::TransportFactory* transport = runtime->chain().transport.get();
  if (transport != nullptr && transport->secure()) {
    const auto scope =
        store.scope(base::concat("listener.", stat_prefix_of(*runtime->listener_, bound), ".ssl."));
    runtime->tls_stats_ = std::make_shared<const net::tls::Stats>(*scope, *transport);
  }
  if (!runtime->is_http()) {
    WEIR_TRY(opened, open_logs(runtime->chain_->access_logs, logs));
    runtime->logs_ = std::move(opened);
    return runtime;
  }
  const HcmOptions& hcm = runtime->hcm();
  auto stats = std::make_shared<const DownstreamStats>(DownstreamStats{
      HcmStats(store, hcm.stat_prefix),
      ListenerHttpStats(store, stat_prefix_of(*runtime->listener_, bound), hcm.stat_prefix)});
  runtime->scope_ = std::make_shared<const ConnectionScope>(hcm, std::move(stats));
  runtime->host_ = hcm.host;
  runtime->host_.listener_port = bound.port();
  WEIR_TRY(opened, open_logs(hcm.access_logs, logs));
  runtime->logs_ = std::move(opened);
  return runtime;
}

}  // namespace weir::proxy
