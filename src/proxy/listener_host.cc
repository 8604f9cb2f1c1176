#include "proxy/listener_host.h"

#include <algorithm>
#include <utility>

#include "proxy/handshake.h"

namespace weir::proxy {

ListenerHost::ListenerHost(SessionDeps& deps, const net::Address& local)
    : deps_(deps),
      local_(local),
      local_text_(local.to_string()),
      wildcard_(local.is_wildcard()),
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

// ---- sessions --------------------------------------------------------------------------------------------------------------

void ListenerHost::start_drain() {
  draining_ = true;
  for (const auto& session : sessions_) session->start_drain();
}

void ListenerHost::close_idle() {
  // Backwards: a session that goes is replaced by the last.
  for (size_t i = sessions_.size(); i-- > 0;) sessions_[i]->close_if_idle();
  for (size_t i = pending_.size(); i-- > 0;) pending_[i]->refuse("drain");
}

void ListenerHost::close_all() {
  while (!pending_.empty()) pending_.back()->refuse("cut at the end of a drain");
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
  tell_if_empty();
}

void ListenerHost::tell_if_empty() {
  if (session_count() == 0 && on_empty_ != nullptr) on_empty_(on_empty_argument_);
}

}  // namespace weir::proxy
