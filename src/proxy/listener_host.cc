#include "proxy/listener_host.h"

#include <algorithm>
#include <utility>

#include "proxy/handshake.h"
#include "proxy/http_session.h"

namespace weir::proxy {

ListenerHost::ListenerHost(SessionDeps& deps, const net::Address& local)
    : deps_(deps),
      local_(local),
      local_text_(local.to_string()),
      retire_timer_(deps.loop, &on_retire_timer, this) {}

ListenerHost::~ListenerHost() {
  on_empty_ = nullptr;
  close_all();
  // Sessions that go at the end of this turn refer to them.
  for (auto* slots : {&chains_, &retired_})
    for (auto& slot : *slots) deps_.loop.defer_delete(std::move(slot));
}

// ---- generations ------------------------------------------------------------------------------------------------------------

void ListenerHost::adopt(std::shared_ptr<const ListenerRuntime> runtime,
                         std::shared_ptr<const void> snapshot) {
  runtime_ = std::move(runtime);
  const auto known = std::find_if(identities_.begin(), identities_.end(), [this](const auto& each) {
    return each->name == runtime_->options().name && each->stat_prefix == runtime_->stat_prefix();
  });
  if (known == identities_.end()) {
    identities_.push_back(std::make_unique<const Identity>(
        Identity{runtime_->options().name, runtime_->stat_prefix(), runtime_->stats()}));
  } else {
    std::rotate(known, known + 1, identities_.end());
  }
  adopt_chains(snapshot);
}

void ListenerHost::adopt_chains(const std::shared_ptr<const void>& snapshot) {
  std::vector<std::unique_ptr<ChainSlot>> next;
  for (const auto& chain : runtime_->chains()) {
    const auto kept = std::find_if(chains_.begin(), chains_.end(), [&chain](const auto& slot) {
      return slot != nullptr && slot->key_ == chain->chain().key &&
             slot->frame_ == chain->chain().frame;
    });
    if (kept != chains_.end()) {
      next.push_back(std::move(*kept));
    } else {
      next.push_back(std::make_unique<ChainSlot>(*chain));
    }
    next.back()->current_ = RuntimeRef::make(chain, snapshot);
  }
  std::swap(chains_, next);
  for (auto& gone : next)
    if (gone != nullptr) retire(std::move(gone));
}

void ListenerHost::retire(std::unique_ptr<ChainSlot> slot) {
  if (slot->sessions_ == 0) return deps_.loop.defer_delete(std::move(slot));
  slot->draining_ = true;
  deps_.loop.refresh_clock();
  slot->retired_at_ = deps_.loop.now();
  for (const auto& session : sessions_)
    if (&session->chain_ == slot.get()) session->start_drain();
  retired_.push_back(std::move(slot));
  if (!retire_timer_.armed()) retire_timer_.arm(kRetiredIdleGrace);
}

void ListenerHost::on_retire_timer(void* self) {
  auto& host = *static_cast<ListenerHost*>(self);
  const MonotonicTime now = host.deps_.loop.now();
  for (size_t i = host.sessions_.size(); i-- > 0;) {
    Session& session = *host.sessions_[i];
    if (!session.chain_.draining_) continue;
    const auto age = now - session.chain_.retired_at_;
    if (age >= kRetiredMaxAge)
      session.abort();
    else if (age >= kRetiredIdleGrace)
      session.close_if_idle();
  }
  if (!host.retired_.empty()) host.retire_timer_.arm(kRetiredIdleGrace);
}

// ---- connections ------------------------------------------------------------------------------------------------------------

void ListenerHost::on_accept(int fd, const net::Address& remote) {
  AcceptedConnection accepted;
  accepted.connection =
      net::Connection::accepted(deps_.loop, fd, remote, runtime_->options().connection);
  accepted.info = describe(*accepted.connection);
  serve(std::move(accepted), *chains_.front());
}

ConnectionInfo ListenerHost::describe(net::Connection& connection) {
  ConnectionInfo info;
  info.id = connection.id();
  info.start_time = deps_.loop.system_now();
  info.remote_address = connection.remote().to_string();
  if (!connection.remote().is_unix()) info.remote_ip = connection.remote().ip_text();
  info.direct_remote_address = info.remote_address;
  info.local_address = local_text_;
  info.listener_name = name();
  return info;
}

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
  auto session = std::make_unique<HttpSession>(deps_, *this, chain, std::move(accepted));
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
  if (error.code == Code::kConnectTimeout) all.cx_transport_timeout.inc();
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
  deps_.loop.defer_delete(std::move(gone));
  leave(chain);
}

void ListenerHost::start_drain() {
  draining_ = true;
  for (const auto& session : sessions_) session->start_drain();
}

void ListenerHost::close_idle() {
  // Backwards: a session that goes is replaced by the last.
  for (size_t i = sessions_.size(); i-- > 0;) sessions_[i]->close_if_idle();
}

void ListenerHost::close_all() {
  while (!handshakes_.empty()) {
    Handshake& last = *handshakes_.back();
    last.accepted_.connection->close(net::Connection::How::kReset);
    forget(last);
  }
  while (!sessions_.empty()) sessions_.back()->abort();
}

void ListenerHost::remove(Session& session) {
  const size_t index = session.index_;
  std::unique_ptr<Session> gone = std::move(sessions_[index]);
  if (index + 1 != sessions_.size()) {
    sessions_[index] = std::move(sessions_.back());
    sessions_[index]->index_ = index;
  }
  sessions_.pop_back();
  ChainSlot& chain = gone->chain_;
  deps_.loop.defer_delete(std::move(gone));
  leave(chain);
}

/// A connection of the chain has gone.
void ListenerHost::leave(ChainSlot& chain) {
  if (--chain.sessions_ == 0 && chain.draining_) {
    const auto slot = std::find_if(retired_.begin(), retired_.end(),
                                   [&chain](const auto& each) { return each.get() == &chain; });
    deps_.loop.defer_delete(std::move(*slot));
    retired_.erase(slot);
  }
  if (session_count() == 0 && on_empty_ != nullptr) on_empty_(on_empty_argument_);
}

}  // namespace weir::proxy
