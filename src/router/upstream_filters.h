// UpstreamChain: HTTP filters between the router and the upstream's codec, and their configuration.
#pragma once

#include <memory>
#include <string_view>
#include <weir/config_view.h>
#include <weir/filter_registry.h>

#include "router/carrier.h"
#include "stream/chain.h"
#include "upstream/cluster.h"
#include "upstream/exchange.h"

namespace weir::router {

/// The list `field`: the filters before "envoy.filters.http.upstream_codec", which must be the last. FactoryContext::registry has
/// the others.
upstream::HttpFilters read_upstream_filters(ConfigView& parent, std::string_view field,
                                            FactoryContext& context);

/// What an UpstreamChain uses of its stream; all outlives it.
struct UpstreamChainDeps {
  upstream::ExchangeSink& router;    // hears of the response as it leaves the filters
  stream::TerminalCallbacks& outer;  // the chain that the router ends
  FilterCallbacks& callbacks;        // the router's: answers of filters go there
  upstream::WorkerClusters& clusters;
};

/// A second chain on the same driver, in front of an Exchange. It works on the stream's own messages: what its filters change of
/// them all see. An answer of a filter is the stream's answer.
class UpstreamChain final : public Carrier, private stream::ChainHost {
 public:
  explicit UpstreamChain(const UpstreamChainDeps& deps) : deps_(deps) {}

  /// `keep_alive` owns `filters`. Failures are told to the router, also from inside this call.
  void start(const upstream::HttpFilters& filters, std::shared_ptr<const void> keep_alive,
             upstream::Priority priority, EndStream end);

  void send_body(Buffer& data, EndStream end) override;
  void send_trailers(HeaderMap& trailers) override;
  void hold_response() override { chain_.on_response_blocked(); }
  void release_response() override { chain_.on_response_resumed(); }
  void cancel() noexcept override;
  void time_out() noexcept override;
  bool active() const noexcept override { return active_; }
  bool retried() const noexcept override;

 private:
  class Codec;

  const stream::RouteRef* match_route() override { return deps_.outer.route(); }
  void send_informational(const ResponseHead&) override {}  // goes past the filters
  void send_response_head(EndStream end) override;
  void send_response_body(Buffer& data, EndStream end) override;
  void send_response_trailers() override;
  void prepare_reply(LocalReply& reply, Buffer& body) override;
  void abort_response(std::string_view details) override;
  void hold_request() override { deps_.outer.hold_request(); }
  void release_request() override { deps_.outer.release_request(); }
  void on_chain_done() override { chain_.end(); }

  const UpstreamChainDeps deps_;
  std::shared_ptr<const void> keep_alive_;
  stream::FilterChain chain_;
  Codec* codec_ = nullptr;  // the chain's
  bool active_ = false;
  bool replied_ = false;
};

}  // namespace weir::router
