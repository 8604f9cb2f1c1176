// How a ListenerHost comes from an accepted socket to a session.
#include <sys/socket.h>

#include <utility>

#include "base/log.h"
#include "proxy/handshake.h"
#include "proxy/http_session.h"
#include "proxy/listener_host.h"
#include "proxy/tcp_session.h"

namespace weir::proxy {

namespace {

net::Address local_address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  return ::getsockname(fd, address, &size) == 0 ? net::Address::from_sockaddr(address, size)
                                                : net::Address();
}

}  // namespace

// ---- the socket -------------------------------------------------------------------------------------------------------------

void ListenerHost::accept(int fd, const net::Address& remote,
                          std::shared_ptr<const WorkerLoads::Cell> load) {
  AcceptedSocket socket = describe(fd, remote);
  socket.share.keep(std::move(load));
  if (deps_.connections != nullptr && !runtime_->options().ignore_global_limit &&
      !socket.share.take(*deps_.connections)) {
    stats().global_cx_overflow.inc();
    WEIR_LOG_EVERY_MS(1000, kListener, kWarn, "the limit of downstream connections is reached",
                      {{"listener", name()}});
    return;
  }
  take(std::move(socket));
}

AcceptedSocket ListenerHost::describe(int fd, const net::Address& remote) const {
  AcceptedSocket socket;
  socket.fd = net::UniqueFd(fd);
  socket.remote = socket.direct = remote;
  socket.local = wildcard_ ? local_address_of(fd) : local_;
  socket.info.start_time = deps_.loop.system_now();
  return socket;
}

void ListenerHost::take(AcceptedSocket socket) {
  if (runtime_->filters().empty()) return choose_chain(std::move(socket));
  add_pending(std::make_unique<PendingConnection>(deps_, *this, runtime_, std::move(socket)));
}

void ListenerHost::add_pending(std::unique_ptr<PendingConnection> pending) {
  pending->index_ = pending_.size();
  PendingConnection& added = *pending;
  pending_.push_back(std::move(pending));
  added.start();
}

void ListenerHost::remove(PendingConnection& pending) {
  const size_t index = pending.index_;
  std::unique_ptr<PendingConnection> gone = std::move(pending_[index]);
  if (index + 1 != pending_.size()) {
    pending_[index] = std::move(pending_.back());
    pending_[index]->index_ = index;
  }
  pending_.pop_back();
  deps_.loop.defer_delete(std::move(gone));
}

std::span<char> ListenerHost::peek_room(size_t size) {
  if (peek_room_.size() < size) peek_room_.resize(size);
  return std::span(peek_room_).first(size);
}

// ---- the chain --------------------------------------------------------------------------------------------------------------

void ListenerHost::inspected(PendingConnection& pending) {
  AcceptedSocket socket = std::move(pending.socket_);
  remove(pending);
  choose_chain(std::move(socket));
  tell_if_empty();
}

ChainSlot* ListenerHost::find_chain(const AcceptedSocket& socket) const {
  const ChainMatcher& matcher = runtime_->matcher();
  if (const size_t* only = matcher.only_chain()) return chains_[*only].get();
  MatchInput input;
  input.destination = net::ip_bytes(socket.local);
  input.destination_port = socket.local.port();
  input.server_name = socket.info.requested_server_name;
  input.transport_protocol = socket.info.transport_protocol;
  input.application_protocols = socket.info.extras().application_protocols;
  input.direct_source = net::ip_bytes(socket.direct);
  input.source = net::ip_bytes(socket.remote);
  input.source_port = socket.remote.port();
  input.source_is_local = socket.remote.is_loopback() || input.source == input.destination;
  auto found = matcher.find(input);
  if (!found) found = runtime_->default_chain();
  return found ? chains_[*found].get() : nullptr;
}

void ListenerHost::choose_chain(AcceptedSocket socket) {
  ConnectionInfo& info = socket.info;
  if (info.local_address_restored && !socket.handed_over && directory_ != nullptr &&
      runtime_->options().use_original_dst) {
    ListenerHost* meant = directory_->find_listener(socket.local);
    if (meant != nullptr && meant != this) {
      socket.handed_over = true;
      return meant->take(std::move(socket));
    }
  }
  if (info.transport_protocol.empty()) info.transport_protocol = "raw_buffer";
  info.remote_address = socket.remote.to_string();
  if (!(socket.direct == socket.remote))
    info.own_extras().direct_remote_address = socket.direct.to_string();
  info.local_address =
      wildcard_ || info.local_address_restored ? socket.local.to_string() : local_text_;
  info.listener_name = name();
  if (const auto& metadata = runtime_->options().metadata)
    info.own_extras().listener_metadata = metadata;
  ChainSlot* chain = find_chain(socket);
  if (chain == nullptr) {
    stats().no_filter_chain_match.inc();
    info.flags |= 1u << static_cast<unsigned>(ResponseFlag::kNoRouteFound);
    info.own_extras().termination_details = "filter_chain_not_found";
    WEIR_LOG(kConnection, kDebug, "no filter chain matches",
             {{"remote", info.remote_address}, {"local", info.local_address}});
    return log_connection(info, deps_.loop.now());
  }
  AcceptedConnection accepted{
      net::Connection::accepted(deps_.loop, socket.fd.release(), socket.direct,
                                runtime_->options().connection),
      std::move(info), std::move(socket.share)};
  accepted.info.id = accepted.connection->id();
  serve(std::move(accepted), *chain);
}

/// A connection that a listener filter does not want, or that has gone meanwhile.
void ListenerHost::refused(PendingConnection& pending) {
  AcceptedSocket socket = std::move(pending.socket_);
  const MonotonicTime started = pending.started_;
  remove(pending);
  ConnectionInfo& info = socket.info;
  info.remote_address = socket.remote.to_string();
  info.own_extras().direct_remote_address = socket.direct.to_string();
  info.local_address = socket.local.to_string();
  info.listener_name = name();
  WEIR_LOG(kConnection, kDebug, "connection refused",
           {{"remote", info.remote_address},
            {"listener", name()},
            {"why", info.extras().termination_details}});
  log_connection(info, started);
  tell_if_empty();
}

// ---- the session ------------------------------------------------------------------------------------------------------------

/// The chain is known: a session, if need be after a handshake.
void ListenerHost::serve(AcceptedConnection accepted, ChainSlot& chain) {
  const ChainRuntime& runtime = *chain.current();
  const FilterChainOptions& options = runtime.chain();
  if (options.transport == nullptr) return begin_session(std::move(accepted), chain);
  net::TransportHints hints;
  hints.tls_stats = runtime.tls_stats();
  accepted.connection->set_transport(options.transport->make(hints));
  auto handshake = std::make_unique<Handshake>(*this, chain, std::move(accepted));
  handshake->index_ = handshakes_.size();
  ++chain.sessions_;
  Handshake& added = *handshake;
  handshakes_.push_back(std::move(handshake));
  added.start(options.transport_connect_timeout);
}

void ListenerHost::begin_session(AcceptedConnection accepted, ChainSlot& chain) {
  std::unique_ptr<Session> session;
  if (chain.current()->is_http())
    session = std::make_unique<HttpSession>(deps_, *this, chain, std::move(accepted));
  else
    session = std::make_unique<TcpSession>(deps_, *this, chain, std::move(accepted));
  session->index_ = sessions_.size();
  Session& added = *session;
  sessions_.push_back(std::move(session));
  added.start();
}

void ListenerHost::handshake_done(Handshake& handshake) {
  // The session first: the chain must not be empty in between.
  begin_session(std::move(handshake.accepted_), handshake.chain_);
  forget(handshake);
}

void ListenerHost::handshake_failed(Handshake& handshake, const Error& error) {
  const ListenerStats& all = stats();
  all.cx_total.inc();
  all.cx_destroy.inc();
  const bool late = error.code == Code::kConnectTimeout;
  if (late) all.cx_transport_timeout.inc();
  ConnectionInfo& info = handshake.accepted_.info;
  info.own_extras().termination_details = late ? "transport_socket_timeout" : "transport_failure";
  info.own_extras().transport_failure_reason = error.detail;
  log_connection(info, deps_.loop.now());
  forget(handshake);
}

void ListenerHost::forget(Handshake& handshake) {
  ChainSlot& chain = handshake.chain_;
  const size_t index = handshake.index_;
  std::unique_ptr<Handshake> gone = std::move(handshakes_[index]);
  if (index + 1 != handshakes_.size()) {
    handshakes_[index] = std::move(handshakes_.back());
    handshakes_[index]->index_ = index;
  }
  handshakes_.pop_back();
  gone->accepted_.share = ConnectionShare();
  deps_.loop.defer_delete(std::move(gone));
  leave(chain);
}

void ListenerHost::log_connection(const ConnectionInfo& info, MonotonicTime started) {
  if (runtime_->logs().empty()) return;
  StreamInfo stream;
  describe_connection(stream, info, started);
  stream.end = deps_.loop.now();
  stream.bytes_received = info.bytes_received;
  stream.bytes_sent = info.bytes_sent;
  stream.flags = info.flags;
  stream.connection_termination_details = info.extras().termination_details;
  stream::FormatContext context{stream};
  context.now = stream.end;
  context.log_type = "NotSet";  // Envoy's word in a listener's log
  write_log_lines(runtime_->logs(), context, deps_);
}

}  // namespace weir::proxy
