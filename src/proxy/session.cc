#include "proxy/session.h"

#include <utility>

#include "proxy/listener_host.h"

namespace weir::proxy {

Session::Session(SessionDeps& deps, ListenerHost& host, ChainSlot& chain,
                 AcceptedConnection&& accepted)
    : deps_(deps),
      host_(host),
      chain_(chain),
      connection_(std::move(accepted.connection)),
      info_(std::move(accepted.info)),
      listener_stats_(host.stats()),
      share_(std::move(accepted.share)),
      started_(deps.loop.now()) {
  ++chain_.sessions_;
  info_.filter_chain_name = chain_.name();
  listener_stats_.cx_total.inc();
  listener_stats_.cx_active.inc();
}

Session::~Session() = default;

bool Session::born_draining() const noexcept { return host_.draining() || chain_.draining(); }

uint64_t Session::age_ms() const noexcept {
  const auto age = std::chrono::duration_cast<Milliseconds>(deps_.loop.now() - started_);
  return static_cast<uint64_t>(age.count());
}

void Session::put_filters() {
  const FilterChainOptions& options = current()->chain();
  if (options.filters.empty()) return;
  filters_.reset(new Filters{
      {},
      stream::NetworkChain({deps_.loop, deps_.worker, deps_.callouts, *connection_, info_, nullptr,
                            current()->listener().connection.buffer_limit})});
  for (const ConfiguredNetworkFilter& each : options.filters) {
    auto filter = each.factory->create(deps_.worker);
    if (filter == nullptr) continue;
    filters_->factories.push_back(each.factory);
    filters_->chain.add(std::move(filter));
  }
  filters_->chain.end_in_owner();
  filters_->chain.start();
}

void Session::end(CloseEvent by) {
  if (filters_ != nullptr) filters_->chain.finish(by);
  listener_stats_.cx_destroy.inc();
  listener_stats_.cx_active.dec();
  listener_stats_.cx_length_ms.record(age_ms());
  host_.log_connection(info_, started_);
  host_.remove(*this);
}

}  // namespace weir::proxy
