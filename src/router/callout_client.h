// CalloutClient: HTTP requests that filters send on their own account.
#pragma once

#include <memory>
#include <vector>
#include <weir/callout.h>

#include "router/streamed_call.h"
#include "upstream/cluster.h"
#include "upstream/redis/client.h"

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
  std::vector<std::string> host_addresses(std::string_view cluster) const override;
  std::optional<ClusterFacts> cluster_facts(std::string_view cluster,
                                            std::string_view host) const override;
  Result<std::unique_ptr<Callout>> start(CalloutRequest request, CalloutHandler& handler) override;
  Result<std::unique_ptr<StreamedCallout>> start_stream(StreamedCalloutRequest request,
                                                        StreamedCalloutHandler& handler) override;
  RedisCommands* redis() noexcept override { return &redis_; }
  size_t in_flight() const noexcept { return calls_.size() + streams_.size(); }
  /// For StreamedCall alone: it is over.
  void finished(StreamedCall& call);

 private:
  class Call;
  class Handle;
  template <typename Each>
  using Calls = std::vector<std::unique_ptr<Each>>;  // each knows its index
  template <typename Each>
  void finished(Calls<Each>& calls, Each& call);
  upstream::WorkerClusters& clusters_;
  Calls<Call> calls_;
  Calls<StreamedCall> streams_;
  upstream::redis::Client redis_;
};

}  // namespace weir::router
