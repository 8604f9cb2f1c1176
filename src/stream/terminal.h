// What the end of a chain (the router) and the chain driver know of each other.
#pragma once

#include <chrono>
#include <optional>
#include <weir/http_filter.h>

namespace weir::event {
class Loop;
}

namespace weir::stream {

struct ChainEnvironment;
struct Exchange;
struct FormatContext;

/// A matched route as the layers below the router see it. Owner: the snapshot's route table.
class RouteRef {
 public:
  virtual ~RouteRef() = default;
  /// The per-route configuration of the filter with this configured name, most specific first (weighted
  /// cluster, route, virtual host, table); null if none.
  virtual const void* filter_config(std::string_view filter_name) const = 0;
  /// Those of all levels, most specific first.
  virtual RouteConfigs filter_configs(std::string_view filter_name) const {
    RouteConfigs configs;
    if (const void* config = filter_config(filter_name)) configs.add(config);
    return configs;
  }
  /// typed_per_filter_config says `disabled` (1), explicitly enabled (0), or nothing (-1).
  virtual int filter_disabled(std::string_view filter_name) const = 0;
  /// Name of the cluster that this request goes to; empty if it is not known or goes to none.
  virtual std::string_view cluster_name(const RequestHead& head) const {
    return static_cast<void>(head), std::string_view();
  }
  /// Applies the response header operations of the route, virtual host and table. The router calls it for responses
  /// of the upstream, the driver for local replies.
  virtual void finalize_response(HeaderMap& headers, const FormatContext& context) const {
    static_cast<void>(headers), static_cast<void>(context);
  }
  /// The response says what each filter has cost.
  virtual bool include_filter_times() const { return false; }
  /// The route's own idle_timeout, in place of stream_idle_timeout; 0 = none.
  virtual std::optional<std::chrono::milliseconds> idle_timeout() const { return std::nullopt; }
};

/// The driver as the terminal filter sees it.
class TerminalCallbacks {
 public:
  virtual ~TerminalCallbacks() = default;
  virtual event::Loop& loop() noexcept = 0;
  virtual unsigned worker() const noexcept = 0;
  /// The cached route; matches anew after clear_route_cache(). Null: no route.
  virtual const RouteRef* route() = 0;
  /// Where to put the response's head and trailers; owned by the stream.
  virtual ResponseHead& response_head_storage() noexcept = 0;
  virtual HeaderMap& response_trailers_storage() noexcept = 0;
  virtual HeaderMap* request_trailers() noexcept = 0;
  /// Feeds the response into the chain from its end. After kYes or trailers nothing more.
  virtual void send_informational(const ResponseHead& head) = 0;
  virtual void send_response_head(EndStream end) = 0;  // head is in response_head_storage()
  virtual void send_response_body(Buffer& data, EndStream end) = 0;
  virtual void send_response_trailers() = 0;
  /// The upstream broke after its head was passed on: cut the stream visibly.
  virtual void abort_response(std::string_view details) = 0;
  /// The terminal filter cannot take more request body / can again. Counted.
  virtual void hold_request() = 0;
  virtual void release_request() = 0;
  /// The request has been received completely.
  virtual bool request_ended() const noexcept = 0;
  /// For a further chain behind this one, on the same messages.
  virtual Exchange& exchange() noexcept = 0;
  virtual const ChainEnvironment& environment() const noexcept = 0;
};

/// The router as the driver sees it, beside HttpFilter.
class TerminalFilter : public HttpFilter {
 public:
  virtual void attach_terminal(TerminalCallbacks& callbacks) = 0;
  /// The client reads slowly / again: stop and resume reading the response.
  virtual void on_response_blocked() = 0;
  virtual void on_response_resumed() = 0;
  /// Somebody else answers: what is under way upstream is for nobody any more. May come inside any callback.
  virtual void on_local_reply() = 0;
};

}  // namespace weir::stream
