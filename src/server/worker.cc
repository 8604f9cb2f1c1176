#include "server/worker.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "stats/store.h"
#include "wasm/host.h"

namespace weir::server {
namespace {

bool belongs(bool inbound, admin::DrainScope scope) noexcept {
  return inbound || scope == admin::DrainScope::kAll;
}

}  // namespace

/// Hands the sockets that one worker accepts round to all, or to those with the fewest connections. Owner: that worker's
/// Listening. Thread: its loop's.
class AcceptRelay final : public net::AcceptSink {
 public:
  AcceptRelay(std::string key, const std::vector<std::unique_ptr<Worker>>& peers, size_t own,
              proxy::ListenerHost& host, std::shared_ptr<const proxy::WorkerLoads> loads)
      : key_(std::move(key)), peers_(peers), own_(own), host_(host), loads_(std::move(loads)) {}
  void on_accept(int fd, const net::Address& remote) override {
    size_t chosen = next_++ % peers_.size();
    std::shared_ptr<const proxy::WorkerLoads::Cell> load;
    if (loads_ != nullptr) {
      chosen = loads_->take_least(own_);
      load = {loads_, &loads_->cell(chosen)};
    }
    if (chosen == own_) return host_.accept(fd, remote, std::move(load));
    Worker& target = *peers_[chosen];
    target.post([&target, key = key_, fd, remote, load = std::move(load)] {
      target.take_over(key, fd, remote, load);
    });
  }

 private:
  std::string key_;
  const std::vector<std::unique_ptr<Worker>>& peers_;
  const size_t own_;
  proxy::ListenerHost& host_;  // of the own worker; lives as long as this
  const std::shared_ptr<const proxy::WorkerLoads> loads_;  // null: round
  size_t next_ = 0;
};

Worker::Worker(unsigned index, const WorkerDeps& deps)
    : index_(index),
      clusters_(loop_, index, deps.clusters),
      callouts_(clusters_),
      access_log_(deps.logs, loop_),
      streams_(loop_),
      session_deps_{loop_,           index,    callouts_,
                    access_log_,     streams_, deps.health_check_failed,
                    deps.connections},
      sweep_(loop_, &Worker::on_sweep, this),
      retire_timer_(loop_, &Worker::on_retire_timer, this),
      drain_timer_(loop_, &Worker::on_drain_timer, this) {}

Worker::~Worker() { join(); }

void Worker::start() { thread_ = std::thread(&Worker::run, this); }

void Worker::run() {
  stats::set_thread_index(index_ + 1);
  base::set_thread_name("worker_" + std::to_string(index_));
  loop_.run();
  ended_.store(true, std::memory_order_release);
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::stop(wasm::Host* wasm, Ending how) {
  post([this, wasm, how] {
    close_all();
    // Sessions die at the end of this turn; their VMs may go after that.
    post([this, wasm, how] {
      listenings_.clear();
      retired_.clear();
      snapshot_.reset();
      if (wasm != nullptr && how == Ending::kInOrder)
        return wasm->end_worker(
            index_, [](void* self) { static_cast<Worker*>(self)->end_loop(); }, this);
      if (wasm != nullptr) wasm->stop_worker(index_);
      end_loop();
    });
  });
}

void Worker::end_loop() {
  access_log_.flush();
  loop_.stop();
}

Worker::Listening Worker::make_listening(const ListenerEntry& entry,
                                         const std::vector<std::unique_ptr<Worker>>& peers) {
  Listening made;
  made.key = entry.key;
  made.sockets = entry.sockets;
  made.inbound = entry.runtime->options().traffic_direction == "INBOUND";
  made.host = std::make_unique<proxy::ListenerHost>(session_deps_, entry.local());
  made.host->set_on_empty(&Worker::on_host_empty, this);
  made.host->set_directory(*this);
  const net::ListenSocket* socket = entry.sockets ? entry.sockets->of(index_) : nullptr;
  if (socket != nullptr) {
    net::AcceptSink* sink = made.host.get();
    if (entry.sockets->shared(peers.size()) || entry.sockets->loads() != nullptr) {
      made.relay = std::make_unique<AcceptRelay>(entry.key, peers, index_, *made.host,
                                                 entry.sockets->loads());
      sink = made.relay.get();
    }
    made.listener = std::make_unique<net::Listener>(loop_, *socket, *sink,
                                                    entry.runtime->options().accept_batch);
  }
  if (draining_) made.host->start_drain();
  log_listener("listener begins", made);
  return made;
}

void Worker::adopt(std::shared_ptr<const Snapshot> snapshot, wasm::Host* wasm,
                   const std::vector<std::unique_ptr<Worker>>& peers) {
  clusters_.set_old_generation_max_age(snapshot->configuration->old_generation_max_age);
  clusters_.apply(snapshot->clusters);
  // After the clusters: guests have asked for callouts while they started.
  if (wasm != nullptr) wasm->adopt(index_, snapshot->generation);
  if (session_deps_.connections != nullptr)
    session_deps_.connections->set_limit(snapshot->configuration->max_downstream_connections);
  std::vector<Listening> next;
  for (const ListenerEntry& entry : snapshot->listeners) {
    auto kept = std::find_if(
        listenings_.begin(), listenings_.end(),
        [&entry](const Listening& each) { return each.key == entry.key && each.host != nullptr; });
    if (kept != listenings_.end()) {
      next.push_back(std::move(*kept));
      listenings_.erase(kept);
      next.back().inbound = entry.runtime->options().traffic_direction == "INBOUND";
    } else {
      next.push_back(make_listening(entry, peers));
    }
    // Streams pin the configuration and not the snapshot, or they would keep the sockets of removed listeners open.
    next.back().host->adopt(entry.runtime, snapshot->configuration);
  }
  std::swap(listenings_, next);
  for (Listening& removed : next) retire(std::move(removed));
  snapshot_ = std::move(snapshot);
}

proxy::ListenerHost* Worker::find_listener(const net::Address& destination) {
  proxy::ListenerHost* wildcard = nullptr;
  for (const Listening& each : listenings_) {
    const net::Address& local = each.host->local();
    if (local == destination) return each.host.get();
    if (local.is_wildcard() && local.family() == destination.family() &&
        local.port() == destination.port())
      wildcard = each.host.get();
  }
  return wildcard;
}

void Worker::log_listener(std::string_view what, const Listening& listening) const {
  WEIR_LOG(kListener, kDebug, what,
           {{"address", listening.host->local_text()},
            {"connections", listening.host->session_count()}});
}

void Worker::retire(Listening listening) {
  // Clients whose handshake the kernel has completed are served: the queue is emptied before the socket closes, and it
  // closes here, or until the last worker has let go of it the kernel would go on filling the queue.
  if (listening.listener) {
    listening.listener->drain_queue();
    listening.sockets->of(index_)->stop_listening();
  }
  listening.listener.reset();
  listening.sockets.reset();
  listening.host->start_drain();
  log_listener("listener is removed and drains", listening);
  loop_.refresh_clock();
  listening.retired_at = loop_.now();
  retired_.push_back(std::move(listening));
  if (!retire_timer_.armed()) retire_timer_.arm(proxy::kRetiredIdleGrace);
  sweep_.schedule();
}

void Worker::on_retire_timer(void* self) {
  auto& worker = *static_cast<Worker*>(self);
  for (Listening& each : worker.retired_) {
    const auto age = worker.loop_.now() - each.retired_at;
    if (age >= proxy::kRetiredMaxAge)
      each.host->close_all();
    else if (age >= proxy::kRetiredIdleGrace)
      each.host->close_idle();
  }
  if (!worker.retired_.empty()) worker.retire_timer_.arm(proxy::kRetiredIdleGrace);
}

void Worker::on_host_empty(void* self) { static_cast<Worker*>(self)->sweep_.schedule(); }

void Worker::on_sweep(void* self) {
  auto& worker = *static_cast<Worker*>(self);
  const auto emptied =
      std::any_of(worker.retired_.begin(), worker.retired_.end(),
                  [](const Listening& each) { return each.host->session_count() == 0; });
  if (emptied) {
    // The hosts' last sessions are still on their way out of this turn: let go of them in the next.
    worker.post([&worker] {
      std::erase_if(worker.retired_,
                    [](const Listening& each) { return each.host->session_count() == 0; });
    });
  }
  if (worker.session_count() > 0 || worker.when_empty_.empty()) return;
  for (const auto& callback : std::exchange(worker.when_empty_, {})) callback();
}

void Worker::start_drain() {
  draining_ = true;
  for (Listening& each : listenings_) each.host->start_drain();
}

void Worker::drain_listeners(admin::DrainScope scope,
                             std::optional<std::chrono::milliseconds> accept_for) {
  loop_.refresh_clock();
  for (Listening& each : listenings_) {
    if (!belongs(each.inbound, scope)) continue;
    each.host->start_drain();
    log_listener("listener drains", each);
    if (accept_for && !each.accepts_until) each.accepts_until = loop_.now() + *accept_for;
  }
  stop_due();
}

void Worker::stop_accepting(admin::DrainScope scope) {
  for (Listening& each : listenings_)
    if (belongs(each.inbound, scope)) refuse_clients(each);
}

void Worker::refuse_clients(Listening& listening) {
  if (!listening.listener) return;
  listening.listener->drain_queue();
  // The snapshot still holds the socket: without this, clients would connect and wait for ever.
  listening.sockets->of(index_)->stop_listening();
  listening.listener.reset();
  log_listener("listener accepts no more", listening);
}

/// Ends the time of the drained listeners whose time has come, and waits for the next.
void Worker::stop_due() {
  std::optional<MonotonicTime> next;
  for (Listening& each : listenings_) {
    if (!each.accepts_until) continue;
    if (*each.accepts_until <= loop_.now()) {
      each.accepts_until.reset();
      refuse_clients(each);
      each.host->close_idle();
    } else if (!next || *each.accepts_until < *next) {
      next = each.accepts_until;
    }
  }
  if (next)
    drain_timer_.arm(std::chrono::duration_cast<std::chrono::milliseconds>(*next - loop_.now()) +
                     event::Loop::kTick);
}

void Worker::on_drain_timer(void* self) { static_cast<Worker*>(self)->stop_due(); }

void Worker::close_idle() {
  for (Listening& each : listenings_) each.host->close_idle();
  for (Listening& each : retired_) each.host->close_idle();
  sweep_.schedule();
}

void Worker::close_all() {
  for (Listening& each : listenings_) {
    each.listener.reset();
    each.host->close_all();
  }
  for (Listening& each : retired_) each.host->close_all();
}

void Worker::when_empty(std::function<void()> callback) {
  when_empty_.push_back(std::move(callback));
  sweep_.schedule();
}

size_t Worker::session_count() const noexcept {
  size_t count = 0;
  for (const Listening& each : listenings_) count += each.host->session_count();
  for (const Listening& each : retired_) count += each.host->session_count();
  return count;
}

void Worker::take_over(const std::string& key, int fd, const net::Address& remote,
                       std::shared_ptr<const proxy::WorkerLoads::Cell> load) {
  for (Listening& each : listenings_)
    if (each.key == key) return each.host->accept(fd, remote, std::move(load));
  // It may have been in the queue of a socket that an edit has removed since.
  for (Listening& each : retired_)
    if (each.key == key) return each.host->accept(fd, remote, std::move(load));
  ::close(fd);
  if (load != nullptr) load->count.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace weir::server
