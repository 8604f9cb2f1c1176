#include "proxy/tcp_session.h"

#include <string_view>
#include <utility>

#include "base/log.h"

namespace weir::proxy {

namespace {

std::string_view log_type(stream::ConnectionLog when) noexcept {
  switch (when) {
    case stream::ConnectionLog::kStart:
      return "TcpConnectionStart";
    case stream::ConnectionLog::kConnected:
      return "TcpUpstreamConnected";
    case stream::ConnectionLog::kPeriodic:
      return "TcpPeriodic";
    case stream::ConnectionLog::kEnd:
      break;
  }
  return "TcpConnectionEnd";
}

}  // namespace

TcpSession::TcpSession(SessionDeps& deps, ListenerHost& host, ChainSlot& chain,
                       AcceptedConnection&& accepted)
    : Session(deps, host, chain, std::move(accepted)),
      options_(current()->shared_chain()),
      logs_(current()->logs()),
      chain_driver_({deps.loop, deps.worker, deps.callouts, *connection_, info_, &stream_info_,
                     current()->listener().connection.buffer_limit}) {
  describe_connection(stream_info_, info_, deps.loop.now());
}

TcpSession::~TcpSession() = default;

void TcpSession::start() {
  WEIR_LOG(kConnection, kDebug, "connection accepted",
           {{"connection", connection_->id()},
            {"remote", info_.remote_address},
            {"local", info_.local_address},
            {"listener", info_.listener_name}});
  for (const ConfiguredNetworkFilter& each : options_->filters) {
    auto filter = each.factory->create(deps_.worker);
    if (filter == nullptr) continue;
    each.factory->terminal() ? chain_driver_.add_terminal(std::move(filter))
                             : chain_driver_.add(std::move(filter));
  }
  chain_driver_.end_in_filter(*this);
  connection_->start();
  if (!connection_->in().empty()) connection_->offer_again();
  chain_driver_.start();
  if (born_draining()) chain_driver_.drain();
}

void TcpSession::abort() {
  if (!chain_driver_.alive()) return;
  connection_->close(net::Connection::How::kReset);
  chain_driver_.finish(CloseEvent::kLocal);
  if (info_.extras().termination_details.empty())
    info_.own_extras().termination_details = "cut at the end of a drain";
  on_chain_done(CloseEvent::kLocal);
}

void TcpSession::log_connection(stream::ConnectionLog when) {
  if (logs_.empty()) return;
  const auto now = deps_.loop.now();
  if (when == stream::ConnectionLog::kEnd) stream_info_.end = now;
  stream_info_.bytes_received = info_.bytes_received;
  stream_info_.bytes_sent = info_.bytes_sent;
  stream_info_.flags |= info_.flags;
  stream_info_.connection_termination_details = info_.extras().termination_details;
  stream::FormatContext context{stream_info_};
  context.now = now;
  context.log_type = log_type(when);
  write_log_lines(logs_, context, deps_);
}

void TcpSession::on_chain_done(CloseEvent by) {
  log_connection(stream::ConnectionLog::kEnd);
  WEIR_LOG(kConnection, kDebug, "connection closed",
           {{"connection", connection_->id()},
            {"remote", info_.remote_address},
            {"by", by == CloseEvent::kLocal ? "weir" : "client"},
            {"why", info_.extras().termination_details},
            {"received", info_.bytes_received},
            {"sent", info_.bytes_sent},
            {"duration_ms", age_ms()}});
  end();
}

}  // namespace weir::proxy
