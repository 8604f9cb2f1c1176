#include "filters/network/sni_cluster/sni_cluster_filter.h"

namespace weir::filters {

namespace {

class SniCluster final : public NetworkFilter {
 public:
  NetworkFlow on_new_connection() override {
    ConnectionInfo& info = callbacks_->connection_info();
    if (!info.requested_server_name.empty())
      info.own_extras().filter_state["envoy.tcp_proxy.cluster"] = info.requested_server_name;
    return NetworkFlow::kContinue;
  }
};

class Factory final : public NetworkFilterFactory {
 public:
  std::unique_ptr<NetworkFilter> create(unsigned) const override {
    return std::make_unique<SniCluster>();
  }
};

}  // namespace

std::shared_ptr<const NetworkFilterFactory> make_sni_cluster(ConfigView&, FactoryContext&) {
  return std::make_shared<const Factory>();
}

}  // namespace weir::filters
