// ListenerRuntime: one listener in one generation, ready to serve: its chains' runtimes and its metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>
#include <weir/result.h>

#include "proxy/chain_runtime.h"

namespace weir::proxy {

/// Made on main, one per listener and generation (or carried over when nothing of the listener changed); immutable, shared
/// by all workers.
class ListenerRuntime {
 public:
  /// As ChainRuntime::make, for all chains.
  static Result<std::shared_ptr<const ListenerRuntime>> make(
      std::shared_ptr<const ListenerOptions> options, const net::Address& bound,
      uint64_t generation, stats::Store& store, AccessLogWriter& logs);

  const ListenerOptions& options() const noexcept { return *options_; }
  const std::shared_ptr<const ListenerOptions>& shared_options() const noexcept { return options_; }
  const std::string& stat_prefix() const noexcept { return stat_prefix_; }
  const ListenerStats& stats() const noexcept { return stats_; }
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
  std::vector<std::shared_ptr<const ChainRuntime>> chains_;
};

}  // namespace weir::proxy
