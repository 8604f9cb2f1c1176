// CalloutClient: HTTP requests that filters send on their own account.
#pragma once

#include <memory>
#include <vector>
#include <weir/callout.h>

#include "upstream/cluster.h"

namespace weir::router {

/// Callouts of one worker. Owner: the worker; outlives its streams and VMs; when it dies, callouts in flight are
/// cancelled without completion. Thread: the worker's.
class CalloutClient final : public Callouts {
 public:
  explicit CalloutClient(upstream::WorkerClusters& clusters);
  ~CalloutClient() override;
  CalloutClient(const CalloutClient&) = delete;
  CalloutClient& operator=(const CalloutClient&) = delete;

  bool knows_cluster(std::string_view cluster) const override;
  std::optional<ClusterHosts> cluster_hosts(std::string_view cluster) const override;
  Result<std::unique_ptr<Callout>> start(CalloutRequest request, CalloutHandler& handler) override;
  size_t in_flight() const noexcept { return calls_.size(); }

 private:
  class Call;
  class Handle;
  void finished(Call& call);
  upstream::WorkerClusters& clusters_;
  std::vector<std::unique_ptr<Call>> calls_;  // a call knows its index
};

}  // namespace weir::router
