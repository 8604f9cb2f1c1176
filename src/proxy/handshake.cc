#include "proxy/handshake.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "proxy/listener_host.h"

namespace weir::proxy {

void Handshake::on_secured() {
  ConnectionInfo& info = accepted_.info;
  info.tls = accepted_.connection->tls();
  info.transport_protocol = "tls";
  // In lower case, as the inspector has it: names are compared with it.
  if (info.tls != nullptr)
    info.requested_server_name = base::lower(info.tls->text(TlsText::kServerName));
  host_.handshake_done(*this);
}

void Handshake::on_error(const Error& error) {
  accepted_.info.own_extras().transport_failure_reason = error.detail;
  WEIR_LOG(kConnection, kDebug, "handshake failed",
           {{"connection", accepted_.info.id},
            {"remote", accepted_.info.remote_address},
            {"listener", host_.name()},
            {"why", error.detail}});
  host_.handshake_failed(*this, error);
}

}  // namespace weir::proxy
