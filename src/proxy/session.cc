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

void Session::end() {
  listener_stats_.cx_destroy.inc();
  listener_stats_.cx_active.dec();
  listener_stats_.cx_length_ms.record(age_ms());
  host_.remove(*this);
}

}  // namespace weir::proxy
