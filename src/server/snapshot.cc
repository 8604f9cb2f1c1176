#include "server/snapshot.h"

#include <algorithm>

namespace weir::server {
namespace {

const ListenerEntry* find_entry(const Snapshot* snapshot, const std::string& key) {
  if (snapshot == nullptr) return nullptr;
  for (const ListenerEntry& each : snapshot->listeners)
    if (each.key == key) return &each;
  return nullptr;
}

/// Counts what was added, changed and removed between two lists of named texts.
template <typename Options>
void compare(const std::vector<std::shared_ptr<const Options>>& before,
             const std::vector<std::string>& before_texts,
             const std::vector<std::shared_ptr<const Options>>& after,
             const std::vector<std::string>& after_texts, unsigned& added, unsigned& changed,
             unsigned& removed) {
  std::map<std::string, const std::string*> old;
  for (size_t i = 0; i < before.size(); ++i) old[before[i]->name] = &before_texts[i];
  for (size_t i = 0; i < after.size(); ++i) {
    const auto found = old.find(after[i]->name);
    if (found == old.end()) {
      ++added;
      continue;
    }
    if (*found->second != after_texts[i]) ++changed;
    old.erase(found);
  }
  removed = static_cast<unsigned>(old.size());
}

void describe(std::string& out, unsigned count, std::string_view noun, std::string_view verb) {
  if (count == 0) return;
  if (!out.empty()) out += ", ";
  out += std::to_string(count) + " " + std::string(noun) + (count == 1 ? " " : "s ") +
         std::string(verb);
}

bool listens_on(const std::vector<ListenerEntry>& listeners, const net::Address& address) {
  return std::any_of(listeners.begin(), listeners.end(), [&address](const ListenerEntry& each) {
    return each.sockets != nullptr && overlap(each.sockets->local(), address);
  });
}

}  // namespace

bool overlap(const net::Address& left, const net::Address& right) {
  if (left == right) return true;
  if (left.is_unix() || right.is_unix() || left.port() != right.port()) return false;
  const auto wildcard = [](const net::Address& each) {
    return each.ip_text() == "0.0.0.0" || each.ip_text() == "::";
  };
  return wildcard(left) || wildcard(right);
}

std::string socket_key(const std::string& listener, const proxy::ListenAddress& at) {
  std::string key = at.address.to_string();
  // Two listeners that leave the port to the kernel are two sockets.
  if (!at.address.is_unix() && at.address.port() == 0) key += "|" + listener;
  // The backlog and a Unix socket's mode are changed in place.
  const net::SocketOptions& socket = at.socket;
  if (!at.address.is_unix())
    key += std::string("|") + (socket.reuse_port ? "r" : "") + (socket.ipv4_compat ? "4" : "") +
           (socket.freebind ? "f" : "") + (socket.transparent ? "t" : "");
  if (socket.fast_open_queue > 0) key += "|o" + std::to_string(socket.fast_open_queue);
  for (const net::SocketOption& each : socket.options)
    key += "|" + std::to_string(each.level) + "/" + std::to_string(each.name) + "/" +
           std::to_string(static_cast<int>(each.when)) + "=" + each.value;
  return key;
}

std::string socket_key(const proxy::ListenerOptions& options) {
  return socket_key(options.name, {options.address, options.socket});
}

Result<ListenerEntry> SnapshotMaker::make_entry(const proxy::ListenerOptions& options,
                                                const proxy::ListenAddress& address,
                                                const Snapshot& next,
                                                const Snapshot* previous) const {
  ListenerEntry entry;
  entry.configured = address.address;
  entry.socket = address.socket;
  if (!options.bind_to_port) {
    entry.key = "unbound|" + options.name + "|" + address.address.to_string();
    return entry;
  }
  entry.key = socket_key(options.name, address) + (options.exact_balance ? "|b" : "");
  if (const ListenerEntry* before = find_entry(previous, entry.key)) {
    entry.sockets = before->sockets;
    return entry;
  }
  const bool ours = (previous != nullptr && listens_on(previous->listeners, address.address)) ||
                    listens_on(next.listeners, address.address);
  const net::Probe probe = ours ? net::Probe::kNo : net::Probe::kYes;
  auto opened = net::ListenSocket::open(address.address, address.socket, workers, probe);
  if (!opened) return fail(std::move(opened).error());
  auto loads =
      options.exact_balance ? std::make_shared<const proxy::WorkerLoads>(workers) : nullptr;
  entry.sockets = std::make_shared<const SocketSet>(std::move(*opened), std::move(loads));
  return entry;
}

/// All addresses of a listener are served by one runtime, whose statistics have the first one's name.
Result<void> SnapshotMaker::add_listener(
    Snapshot& next, const std::shared_ptr<const proxy::ListenerOptions>& options,
    const Snapshot* previous) const {
  std::vector<proxy::ListenAddress> addresses{{options->address, options->socket}};
  addresses.insert(addresses.end(), options->additional_addresses.begin(),
                   options->additional_addresses.end());
  std::shared_ptr<const proxy::ListenerRuntime> runtime;
  for (const proxy::ListenAddress& address : addresses) {
    WEIR_TRY(entry, make_entry(*options, address, next, previous));
    if (runtime == nullptr) {
      const ListenerEntry* before = find_entry(previous, entry.key);
      if (before != nullptr && &before->runtime->options() == options.get()) {
        runtime = before->runtime;
      } else {
        WEIR_TRY(made, proxy::ListenerRuntime::make(options, entry.local(), next.generation, store,
                                                    logs));
        runtime = std::move(made);
      }
    }
    entry.runtime = runtime;
    next.listeners.push_back(std::move(entry));
  }
  return {};
}

Result<std::shared_ptr<const Snapshot>> SnapshotMaker::make(
    uint64_t generation, std::shared_ptr<const config::Configuration> configuration,
    const Snapshot* previous) const {
  Snapshot snapshot;
  snapshot.generation = generation;
  for (const auto& options : configuration->listeners) {
    if (auto added = add_listener(snapshot, options, previous); !added) {
      Error error = std::move(added).error();
      error.detail =
          "listener " + options->name + " (" + options->address.to_string() + "): " + error.detail;
      return fail(std::move(error));
    }
  }
  snapshot.clusters = upstream::ClusterTable::build(configuration->clusters, clusters, discovery);
  snapshot.configuration = std::move(configuration);
  return std::make_shared<const Snapshot>(std::move(snapshot));
}

bool Difference::nothing() const noexcept {
  return listeners_added + listeners_refiltered + listeners_changed + listeners_removed +
             clusters_added + clusters_changed + clusters_removed + plugins_swapped ==
         0;
}

std::string Difference::to_string() const {
  std::string out;
  describe(out, plugins_swapped, "filter", "swapped");
  describe(out, listeners_added, "listener", "added");
  describe(out, listeners_changed + (plugins_swapped == 0 ? listeners_refiltered : 0), "listener",
           "changed");
  describe(out, listeners_removed, "listener", "removed");
  describe(out, clusters_added, "cluster", "added");
  describe(out, clusters_changed, "cluster", "changed");
  describe(out, clusters_removed, "cluster", "removed");
  return out.empty() ? "nothing changed" : out;
}

std::string serving_text(uint64_t generation, const std::optional<Difference>& changed,
                         std::chrono::milliseconds took) {
  return "generation " + std::to_string(generation) + " serving (" +
         (changed ? changed->to_string() + ", " : std::string()) + std::to_string(took.count()) +
         " ms)";
}

Difference difference(const config::Configuration& before, const config::Configuration& after) {
  Difference result;
  unsigned frames_added = 0, frames_changed = 0, frames_removed = 0;
  compare(before.listeners, before.listener_frames, after.listeners, after.listener_frames,
          frames_added, frames_changed, frames_removed);
  compare(before.listeners, before.listener_texts, after.listeners, after.listener_texts,
          result.listeners_added, result.listeners_changed, result.listeners_removed);
  result.listeners_refiltered = result.listeners_changed - frames_changed;
  result.listeners_changed = frames_changed;
  compare(before.clusters, before.cluster_texts, after.clusters, after.cluster_texts,
          result.clusters_added, result.clusters_changed, result.clusters_removed);
  return result;
}

}  // namespace weir::server
