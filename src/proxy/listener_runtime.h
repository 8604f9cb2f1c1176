// ListenerRuntime: one listener in one generation, ready to serve: its chains' runtimes and its metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>
#include <weir/result.h>

#include "proxy/chain_runtime.h"

namespace weir::proxy {

/// Made on main, one per listener and generation (or carried over when nothing of the listener changed); immutable, shared
/// by all workers.
class ListenerRuntime {
 public:
  /// As ChainRuntime::make, for all chains. Error too: two chains that match the same connections.
  static Result<std::shared_ptr<const ListenerRuntime>> make(
      std::shared_ptr<const ListenerOptions> options, const net::Address& bound,
      uint64_t generation, stats::Store& store, AccessLogWriter& logs);

  const ListenerOptions& options() const noexcept { return *options_; }
  const std::shared_ptr<const ListenerOptions>& shared_options() const noexcept { return options_; }
  const std::string& stat_prefix() const noexcept { return stat_prefix_; }
  const ListenerStats& stats() const noexcept { return stats_; }
  const ListenerFilters& filters() const noexcept { return filters_; }
  const ChainMatcher& matcher() const noexcept { return matcher_; }  // finds indexes of chains()
  /// Of chains(): what serves connections that match none; nothing if there is no default chain.
  std::optional<size_t> default_chain() const noexcept {
    if (!options_->default_filter_chain) return std::nullopt;
    return chains_.size() - 1;
  }
  const std::vector<OpenLog>& logs() const noexcept { return logs_; }  // of connections
  /// In the order of the configuration; the default chain is the last, if there is one.
  const std::vector<std::shared_ptr<const ChainRuntime>>& chains() const noexcept {
    return chains_;
  }

 private:
  ListenerRuntime(std::shared_ptr<const ListenerOptions> options, const net::Address& bound,
                  stats::Store& store);

  std::shared_ptr<const ListenerOptions> options_;
  std::string stat_prefix_;
  ListenerStats stats_;
  ListenerFilters filters_;
  ChainMatcher matcher_;
  std::vector<OpenLog> logs_;
  std::vector<std::shared_ptr<const ChainRuntime>> chains_;
};

}  // namespace weir::proxy
