// Upgrades and CONNECT: what a stream does differently for them.
#include <string>

#include "http/chars.h"
#include "proxy/http_session.h"
#include "proxy/http_stream.h"
#include "router/replies.h"
#include "router/route.h"

namespace weir::proxy {

/// The route has the first word. `configured` is the connection manager's own entry, which may have a chain for the protocol.
bool HttpStream::offers(std::string_view protocol, const UpgradeOptions*& configured) const {
  configured = nullptr;
  for (const UpgradeOptions& upgrade : hcm().upgrades)
    if (http::chars::equals_lower(protocol, upgrade.type)) configured = &upgrade;
  const router::RouteUpgrade* said = route_ == nullptr ? nullptr : route_->upgrade(protocol);
  return said != nullptr ? said->enabled : configured != nullptr && configured->enabled;
}

/// The first of the client's protocols that is served here is the one that all others hear of.
void HttpStream::begin_tunnel(EndStream end) {
  RequestHead& head = exchange_.request;
  match_route();
  const UpgradeOptions* configured = nullptr;
  if (head.method() == "CONNECT") {
    if (!offers(head.method(), configured)) return refuse_tunnel();
  } else {
    const std::string asked = head.headers.joined("upgrade");
    std::string_view list = asked;
    std::string_view chosen;
    while (!list.empty() && chosen.empty()) {
      const std::string_view protocol = http::chars::next_element(list);
      // The entry for CONNECT is for the method alone.
      if (!protocol.empty() && !http::chars::equals_lower(protocol, "connect") &&
          offers(protocol, configured))
        chosen = protocol;
    }
    if (chosen.empty()) return refuse_tunnel();
    head.headers.set(HeaderId::kUpgrade, chosen);
  }
  runtime_->stats().cx_upgrades_total.inc();
  runtime_->stats().cx_upgrades_active.inc();
  upgrade_counted_ = true;
  const bool own_chain = configured != nullptr && !configured->filters.empty();
  build_chain(own_chain ? configured->filters : hcm().filters);
  chain_.request_head(end);
}

/// The connection ends: what the client sends next may be meant for the other protocol.
void HttpStream::refuse_tunnel() {
  if (route_ != nullptr) runtime_->stats().rq_ws_on_non_ws_route.inc();
  begin_chain(0);
  if (!session_->multiplexed()) writer_->close_after();
  chain_.reply(route_ == nullptr ? router::no_route_reply(exchange_.info)
                                 : router::upgrade_refused_reply());
}

/// Only the upstream grants a tunnel; with any other answer the request was an ordinary one, and its head was all of it.
void HttpStream::answer_tunnel(EndStream end) {
  StreamInfo& info = exchange_.info;
  const int status = exchange_.response.status;
  const bool granted = exchange_.request.method() == "CONNECT" ? status / 100 == 2 : status == 101;
  if (granted && !own_answer_ && end == EndStream::kNo) {
    info.tunnel = Tunnel::kOpen;
    if (request_timer_) request_timer_->cancel();
    return;
  }
  info.tunnel = Tunnel::kNone;
  if (granted && !session_->multiplexed()) writer_->close_after();
  request_ended();
}

}  // namespace weir::proxy
