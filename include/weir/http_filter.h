// HttpFilter: one stage of a chain that sees the requests and responses of an HTTP listener.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/buffer.h>
#include <weir/callout.h>
#include <weir/message.h>
#include <weir/result.h>
#include <weir/stream_info.h>

namespace weir {

/// Which message of an exchange.
enum class Direction : uint8_t { kRequest, kResponse };

/// What a filter wants after a callback.
enum class Flow : uint8_t {
  kContinue,   // pass on (with what was held before, in order)
  kPauseHead,  // head callbacks: hold the head here; body and trailers still come to this filter
  kPauseAll,  // head callbacks: hold everything; body is held before this filter, with back-pressure
  kBuffer,    // body callbacks: keep the data in this filter's buffer (413 / 500 over the limit)
  kWatermark,  // body callbacks: as kBuffer, but stop reading from the sender at the limit
  kDrop,       // body callbacks: forget the data (the filter kept its own copy), pass nothing on
  kReplied,    // the filter called reply() or reset(); nothing more comes for this direction
};

/// An answer that weir makes itself.
struct LocalReply {
  int status = 500;
  std::string body{};
  std::string_view details{};  // for the access log; must outlive the stream or be in details_text
  std::string details_text{};
  std::vector<std::pair<std::string, std::string>> headers{};
  int grpc_status = -1;  // -1: derived from the status for gRPC requests
};

/// A one-shot timer of the stream's worker; destroying it cancels.
class StreamTimer {
 public:
  virtual ~StreamTimer() = default;
};

/// Configurations of one filter on the levels of a route, the most specific first: weighted cluster, route, virtual
/// host, route table. Levels without one are left out.
class RouteConfigs {
 public:
  void add(const void* config) noexcept { configs_[size_++] = config; }
  size_t size() const noexcept { return size_; }
  const void* operator[](size_t i) const noexcept { return configs_[i]; }

 private:
  static constexpr size_t kLevels = 4;
  const void* configs_[kLevels] = {};
  size_t size_ = 0;
};

/// What the chain driver offers one filter of one stream. All calls take effect after the current
/// callback has returned; all are legal from timers and callouts; after on_stream_end none may be made.
class FilterCallbacks {
 public:
  virtual ~FilterCallbacks() = default;

  virtual StreamInfo& stream_info() noexcept = 0;
  /// Heads and trailers as far as they exist; null before. Readable until on_stream_end has returned.
  virtual RequestHead* request_head() noexcept = 0;
  virtual ResponseHead* response_head() noexcept = 0;
  virtual HeaderMap* request_trailers() noexcept = 0;
  virtual HeaderMap* response_trailers() noexcept = 0;

  /// Releases what this filter holds in that direction. No-op when nothing is held.
  virtual void continue_request() = 0;
  virtual void continue_response() = 0;
  /// The body that this filter holds (kBuffer, kWatermark, kPauseAll); may be changed in place. Null if none is held.
  virtual Buffer* held_request_body() noexcept = 0;
  virtual Buffer* held_response_body() noexcept = 0;
  /// Puts data behind what this filter holds (or sends next), as if it had arrived. In a head callback with
  /// EndStream::kYes this gives a body to a message without one.
  virtual void add_request_body(Buffer&& data) = 0;
  virtual void add_response_body(Buffer&& data) = 0;
  /// Sends data on in front of what this filter holds, which stays held: how a body is let through piece by piece, from
  /// timers also after its end has come. The head must have gone on; nothing is sent once the end has.
  virtual void pass_request_body(Buffer&& data) = 0;
  virtual void pass_response_body(Buffer&& data) = 0;
  /// Sends data of the filter's own on at once, in front of what it holds and of what it is shown in its callback; a head that
  /// waits here goes on first. EndStream::kYes: the response ends with it, whatever else there is of it.
  virtual void inject_response_body(Buffer&& data, EndStream end) {
    static_cast<void>(data), static_cast<void>(end);
  }
  /// Adds trailers to a message without; only inside the callback that carries the end of the body.
  virtual HeaderMap& add_request_trailers() = 0;
  virtual HeaderMap& add_response_trailers() = 0;

  /// Answers the request; passes the response callbacks of the filters entered so far. After the response head has gone out the
  /// stream is reset instead. While one answer is on its way, only the filter that has it in hand can put another in its place.
  virtual void reply(LocalReply reply) = 0;
  /// Aborts the stream visibly to both sides.
  virtual void reset(std::string_view details) = 0;

  /// Forgets the matched route; the next reader (the router at the latest) matches again.
  virtual void clear_route_cache() = 0;
  /// This filter's configuration on the matched route, virtual host or route table (most specific), as made
  /// by HttpFilterFactory::make_route_config; null if none.
  virtual const void* route_config() = 0;
  /// Those of all levels, for filters that combine them.
  virtual RouteConfigs route_configs() {
    RouteConfigs configs;
    if (const void* config = route_config()) configs.add(config);
    return configs;
  }

  /// Name of the cluster that the matched route sends to; empty if there is none.
  virtual std::string_view route_cluster() = 0;

  /// Limit in bytes for held bodies of one direction.
  virtual size_t buffer_limit(Direction direction) const noexcept = 0;
  virtual void set_buffer_limit(Direction direction, size_t bytes) = 0;
  /// A limit in bytes of this filter alone, for what it holds in each direction; of it and buffer_limit() the smaller one holds.
  /// For what is held from then on; the last call counts.
  virtual void limit_held_body(size_t bytes) { static_cast<void>(bytes); }

  virtual Callouts& callouts() noexcept = 0;
  /// Calls `handler(argument)` once after `delay`, from the loop.
  virtual std::unique_ptr<StreamTimer> start_timer(std::chrono::milliseconds delay,
                                                   void (*handler)(void*), void* argument) = 0;
  /// True while the process is failing health checks on purpose (POST /healthcheck/fail, drain).
  virtual bool health_check_failed() const noexcept = 0;
};

/// One filter of one stream. Owner: the stream's chain. Thread: the stream's worker.
/// Order per direction: head, body*, trailers?; a direction may end at any point; then on_stream_end.
class HttpFilter {
 public:
  virtual ~HttpFilter() = default;
  /// First call; `callbacks` outlives the filter's last call.
  virtual void attach(FilterCallbacks& callbacks) { callbacks_ = &callbacks; }

  virtual Flow on_request_head(RequestHead&, EndStream) { return Flow::kContinue; }
  /// `data` is what arrived; it may be changed in place. While this filter holds a body (kBuffer, kWatermark), the
  /// driver puts the new data behind it, and `data` is the whole held body, the same object as
  /// *held_request_body(). After kPauseAll no body comes before the filter continues; then what was held arrives.
  virtual Flow on_request_body(Buffer& data, EndStream) {
    return static_cast<void>(data), Flow::kContinue;
  }
  virtual Flow on_request_trailers(HeaderMap&) { return Flow::kContinue; }
  virtual Flow on_response_head(ResponseHead&, EndStream) { return Flow::kContinue; }
  virtual Flow on_response_body(Buffer& data, EndStream) {
    return static_cast<void>(data), Flow::kContinue;
  }
  virtual Flow on_response_trailers(HeaderMap&) { return Flow::kContinue; }
  /// Exactly once, always last, whatever happened; heads are still readable.
  virtual void on_stream_end(const StreamInfo&) noexcept {}

 protected:
  FilterCallbacks* callbacks_ = nullptr;
};

}  // namespace weir
