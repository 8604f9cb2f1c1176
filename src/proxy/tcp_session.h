// TcpSession: one connection of a chain that ends in a terminal network filter.
#pragma once

#include <memory>
#include <vector>
#include <weir/stream_info.h>

#include "proxy/log_lines.h"
#include "proxy/session.h"
#include "stream/network_chain.h"

namespace weir::proxy {

/// Owner: its ListenerHost. Thread: its loop's. Makes the filters by the newest runtime of its chain, and keeps of that generation
/// only what they and the access log need. It has no moment between two requests: a drain cuts it at its end, unless its
/// terminal filter ends it before.
class TcpSession final : public Session, private stream::NetworkChainOwner {
 public:
  TcpSession(SessionDeps& deps, ListenerHost& host, ChainSlot& chain,
             AcceptedConnection&& accepted);
  ~TcpSession() override;

  // Session
  void start() override;
  void start_drain() override { chain_driver_.drain(); }
  void close_if_idle() override {}
  void abort() override;

 private:
  // stream::NetworkChainOwner
  void on_chain_done(CloseEvent by) override;
  void log_connection(stream::ConnectionLog when) override;

  const std::shared_ptr<const FilterChainOptions> options_;
  const std::vector<OpenLog> logs_;
  StreamInfo stream_info_;
  stream::NetworkChain chain_driver_;
};

}  // namespace weir::proxy
