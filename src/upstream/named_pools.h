// NamedPools: the pools of a cluster whose connections are not for everybody.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/loop.h"
#include "upstream/pool.h"

namespace weir::upstream {

/// Owner: the Cluster. Thread: its worker's. A named pool goes with its base; one for a client soon after the client has gone,
/// or when it has no connection.
class NamedPools {
 public:
  /// Of all endpoints together. Hosts are what clients say, and a client's connections are as many as it opens: beyond this
  /// those that nobody uses now make room, and if all are in use further ones are refused.
  static constexpr size_t kMaxForHosts = 1024;
  static constexpr size_t kMaxForClients = 16384;

  /// `pools`: the cluster's, which outlive this.
  NamedPools(event::Loop& loop, std::vector<std::unique_ptr<Pool>>& pools);

  /// The pool beside `base` for this use; null if there are too many.
  Pool* pick(Pool& base, const PoolUse& use);
  /// Requires: called before a draining pool is destroyed.
  void forget_draining();

 private:
  static constexpr std::chrono::seconds kSweepInterval{1};
  static constexpr std::chrono::milliseconds kSearchInterval{100};
  Pool* add(Pool& base, const PoolUse& use);
  bool make_room(size_t most);
  void sweep();
  static void on_sweep(void* self) noexcept;

  event::Loop& loop_;
  std::vector<std::unique_ptr<Pool>>& pools_;
  std::unordered_map<std::string, Pool*> index_;  // draining ones may be among them
  std::string key_;                               // scratch: looking up allocates nothing
  event::Timer timer_;
  MonotonicTime next_search_{};  // for pools that nobody uses
};

}  // namespace weir::upstream
