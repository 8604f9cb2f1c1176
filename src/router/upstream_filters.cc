#include "router/upstream_filters.h"

#include <utility>

#include "base/strings.h"
#include "router/wanted_host.h"

namespace weir::router {
namespace {

constexpr std::string_view kCodec = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";

/// Null after an error, for the codec, and for an optional filter that is not there.
std::shared_ptr<const HttpFilterFactory> make_factory(ConfigView& filter, std::string_view name,
                                                      FactoryContext& context, std::string& type,
                                                      bool& codec) {
  const bool optional = filter.boolean("is_optional", false);
  auto config = filter.required_message("typed_config");
  if (config == nullptr) return nullptr;
  type = config->type();
  codec = type == kCodec;
  if (codec) return nullptr;
  const HttpFilterMaker maker =
      context.registry == nullptr ? nullptr : context.registry->find_http(type);
  if (maker == nullptr) {
    if (!optional)
      config->error("@type", base::concat("\"", type, "\" is no HTTP filter of this binary"));
    for (const std::string& key : config->keys()) static_cast<void>(config->json(key));
    return nullptr;
  }
  FactoryContext own = context;
  own.name = name;
  auto factory = maker(*config, own);
  if (factory == nullptr && !config->failed())
    config->error({}, "the filter refuses this configuration");
  if (factory != nullptr && factory->terminal()) {
    config->error({}, "a chain of upstream filters ends with envoy.filters.http.upstream_codec");
    return nullptr;
  }
  return factory;
}

}  // namespace

upstream::HttpFilters read_upstream_filters(ConfigView& parent, std::string_view field,
                                            FactoryContext& context) {
  upstream::HttpFilters out;
  auto views = parent.messages(field);
  for (size_t i = 0; i < views.size(); ++i) {
    ConfigView& view = *views[i];
    upstream::HttpFilterPlace place;
    place.name = view.required_text("name");
    place.disabled = view.boolean("disabled", false);
    view.unsupported("config_discovery", "config_discovery is not supported");
    bool codec = false;
    std::string type;
    place.factory = make_factory(view, place.name, context, type, codec);
    place.route_key = upstream::filter_route_key(place.name, type);
    const bool last = i + 1 == views.size();
    if (codec && !last) view.error({}, "the codec must be the last of the upstream filters");
    if (codec && place.disabled) view.error("disabled", "the codec cannot be disabled");
    if (!codec && last)
      view.error({}, "the last upstream filter must be envoy.filters.http.upstream_codec");
    if (place.factory != nullptr) out.push_back(std::move(place));
  }
  return out;
}

/// The end of the chain: the exchange with the upstream.
class UpstreamChain::Codec final : public stream::TerminalFilter, private upstream::ExchangeSink {
 public:
  Codec(const UpstreamChainDeps& deps, upstream::Priority priority)
      : deps_(deps), exchange_(*this), priority_(priority) {}

  upstream::Exchange& exchange() noexcept { return exchange_; }

  void attach_terminal(stream::TerminalCallbacks& callbacks) override { terminal_ = &callbacks; }
  void on_response_blocked() override { exchange_.hold_response(); }
  void on_response_resumed() override { exchange_.release_response(); }
  void on_local_reply() override { exchange_.cancel(); }

  /// A filter may have held the head for long: the cluster is looked up now.
  Flow on_request_head(RequestHead& head, EndStream end) override {
    const StreamInfo& info = callbacks_->stream_info();
    upstream::Cluster* cluster = deps_.clusters.find_retired(info.upstream_cluster);
    std::optional<upstream::Failure> failure =
        upstream::Failure{upstream::FailureKind::kNoHealthyHost};
    if (cluster != nullptr)
      failure = exchange_.start(*cluster, head, end, priority_, info.protocol, info.connection,
                                wanted_host_.choice(info));
    if (!failure) return Flow::kContinue;
    deps_.router.on_exchange_failed(*failure);
    return Flow::kReplied;
  }
  Flow on_request_body(Buffer& data, EndStream end) override {
    exchange_.send_body(data, end);
    return Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap& trailers) override {
    exchange_.send_trailers(trailers);
    return Flow::kContinue;
  }
  void on_stream_end(const StreamInfo&) noexcept override { exchange_.cancel(); }

 private:
  ResponseHead& exchange_head() noexcept override { return terminal_->response_head_storage(); }
  HeaderMap& exchange_trailers() noexcept override {
    return terminal_->response_trailers_storage();
  }
  void on_exchange_connected(upstream::UpstreamStream& stream) override {
    deps_.router.on_exchange_connected(stream);
  }
  void on_exchange_informational() override { deps_.router.on_exchange_informational(); }
  void on_exchange_head(size_t, EndStream end) override { terminal_->send_response_head(end); }
  void on_exchange_body(Buffer& data, EndStream end) override {
    terminal_->send_response_body(data, end);
  }
  void on_exchange_trailers() override { terminal_->send_response_trailers(); }
  void on_exchange_failed(const upstream::Failure& failure) override {
    deps_.router.on_exchange_failed(failure);
  }
  void on_exchange_blocked() override { terminal_->hold_request(); }
  void on_exchange_resumed() override { terminal_->release_request(); }

  const UpstreamChainDeps& deps_;
  stream::TerminalCallbacks* terminal_ = nullptr;
  upstream::Exchange exchange_;
  WantedHost wanted_host_;
  upstream::Priority priority_;
};

void UpstreamChain::start(const upstream::HttpFilters& filters,
                          std::shared_ptr<const void> keep_alive, upstream::Priority priority,
                          EndStream end) {
  keep_alive_ = std::move(keep_alive);
  active_ = true;
  const unsigned worker = deps_.outer.worker();
  chain_.begin(*this, deps_.outer.exchange(), deps_.outer.environment(), filters.size() + 1);
  const stream::RouteRef* route = deps_.outer.route();
  for (const upstream::HttpFilterPlace& place : filters) {
    const int said = route == nullptr ? -1 : route->filter_disabled(place.route_key);
    if (said == 1 || (said < 0 && place.disabled)) continue;
    if (auto filter = place.factory->create(worker)) chain_.add(std::move(filter), place.route_key);
  }
  auto codec = std::make_unique<Codec>(deps_, priority);
  codec_ = codec.get();
  chain_.add_terminal(std::move(codec), "upstream_codec");
  chain_.request_head(end);
}

void UpstreamChain::send_body(Buffer& data, EndStream end) { chain_.request_body(data, end); }

void UpstreamChain::send_trailers(HeaderMap&) { chain_.request_trailers_received(); }

void UpstreamChain::cancel() noexcept {
  active_ = false;
  chain_.end();
}

void UpstreamChain::time_out() noexcept {
  codec_->exchange().time_out();
  cancel();
}

bool UpstreamChain::retried() const noexcept { return codec_->exchange().retried(); }

void UpstreamChain::send_response_head(EndStream end) {
  if (!replied_) deps_.router.on_exchange_head(0, end);
}

void UpstreamChain::send_response_body(Buffer& data, EndStream end) {
  if (replied_) return data.clear();
  deps_.router.on_exchange_body(data, end);
}

void UpstreamChain::send_response_trailers() {
  if (!replied_) deps_.router.on_exchange_trailers();
}

/// The answer goes to the client through the outer chain; the filters here see its status pass.
void UpstreamChain::prepare_reply(LocalReply& reply, Buffer&) {
  replied_ = true;
  active_ = false;
  deps_.outer.exchange().response.status = reply.status;
  deps_.callbacks.reply(std::move(reply));
}

void UpstreamChain::abort_response(std::string_view details) {
  active_ = false;
  deps_.outer.abort_response(details);
}

}  // namespace weir::router
