// EndpointCell: the present hosts of a cluster whose hosts are found while it serves.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "upstream/options.h"

namespace weir::upstream {

/// Written by its discovery on main, read by workers when they are told that it changed and when they adopt a table; never per request.
/// Owner: the discovery that writes it and the tables that name it.
class EndpointCell {
 public:
  explicit EndpointCell(std::string cluster) : cluster_(std::move(cluster)) {}
  const std::string& cluster() const noexcept { return cluster_; }
  /// Null until something was found. Thread: any.
  std::shared_ptr<const EndpointSet> get() const {
    const std::lock_guard lock(mutex_);
    return set_;
  }
  /// For the discovery alone.
  void set(std::shared_ptr<const EndpointSet> next) const {
    const std::lock_guard lock(mutex_);
    set_ = std::move(next);
  }

 private:
  const std::string cluster_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const EndpointSet> set_;
};

class ClusterSharedState;

/// Is told of cells with new hosts, and makes the workers look. Thread: main.
class EndpointObserver {
 public:
  virtual void on_endpoints_changed(const std::shared_ptr<const EndpointCell>& cell) = 0;

 protected:
  ~EndpointObserver() = default;
};

/// Who finds the hosts of clusters that do not name them. Owner: the server. Thread: main.
class EndpointDiscovery {
 public:
  /// The cell of a cluster of these options; the same one as before if nothing of what it is found by has changed.
  virtual std::shared_ptr<const EndpointCell> follow(
      const std::shared_ptr<const ClusterOptions>& options, ClusterSharedState& state) = 0;

 protected:
  ~EndpointDiscovery() = default;
};

}  // namespace weir::upstream
