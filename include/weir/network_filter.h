// NetworkFilter: one stage of a chain that sees the bytes of a downstream connection.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <weir/buffer.h>
#include <weir/callout.h>
#include <weir/connection_info.h>
#include <weir/http_filter.h>
#include <weir/message.h>
#include <weir/stream_info.h>

namespace weir {

/// What a network filter wants after a callback.
enum class NetworkFlow : uint8_t {
  kContinue,  // the next filter sees the data
  kStop,  // it does not, until continue_reading() (reading), or continue_writing() or the next on_write of this filter (writing)
};

/// How a filter closes the connection.
enum class CloseHow : uint8_t {
  kFlush,  // what was written is sent first, then the client gets time to read it
  kNow,    // FIN, unsent bytes are lost
  kReset,  // RST
};

/// Who has ended a connection: of the two half-closes the first counts.
enum class CloseEvent : uint8_t {
  kRemote,  // the client: it closed, reset, or could not be reached any more
  kLocal,   // weir: a filter, the session, a drain
};

/// What the driver offers one network filter. All calls are legal from callbacks, timers and callouts; what would call a filter
/// happens after the current callback has returned. After on_close none may be made.
class NetworkFilterCallbacks {
 public:
  virtual ~NetworkFilterCallbacks() = default;
  virtual ConnectionInfo& connection_info() noexcept = 0;
  /// What is known of the connection as one exchange, its upstream too; null where the chain ends in HTTP, whose streams have
  /// their own.
  virtual StreamInfo* stream_info() noexcept = 0;
  /// Goes on behind this filter: on_new_connection of the next ones first, then the data that this filter holds (it
  /// stays in the buffer that on_data gets).
  virtual void continue_reading() = 0;
  /// Sends on what this filter holds of the data for the client (it stays in the buffer that on_write gets).
  virtual void continue_writing() = 0;
  /// Data for the filters behind this one, as if it had just passed this one.
  virtual void inject_read(Buffer&& data, EndStream end) = 0;
  /// Data for the client: passes on_write of the filters in front of this one, nearest first. kYes half-closes.
  virtual void write(Buffer&& data, EndStream end) = 0;
  /// Ends the connection; `details` (static text) go to the access log.
  virtual void close(CloseHow how, std::string_view details) = 0;
  /// Reasons to stop reading from the client; counted per filter.
  virtual void hold_reading() = 0;
  virtual void release_reading() = 0;
  /// Bytes written that the client has not taken yet; above the listener's buffer limit on_write_blocked is called.
  virtual size_t unsent() const noexcept = 0;
  virtual size_t buffer_limit() const noexcept = 0;
  virtual Callouts& callouts() noexcept = 0;
  virtual unsigned worker() const noexcept = 0;
  virtual std::unique_ptr<StreamTimer> start_timer(std::chrono::milliseconds delay,
                                                   void (*handler)(void*), void* argument) = 0;
};

/// One filter of one connection. Owner: the connection's chain. Thread: the connection's worker.
/// Reading runs the chain in the order of the configuration, writing in the opposite one. Order: attach, on_new_connection (the
/// transport is ready), on_data / on_write as bytes come; on_close last, exactly once.
class NetworkFilter {
 public:
  virtual ~NetworkFilter() = default;
  virtual void attach(NetworkFilterCallbacks& callbacks) { callbacks_ = &callbacks; }
  virtual NetworkFlow on_new_connection() { return NetworkFlow::kContinue; }
  /// Bytes from the client; what a filter leaves in `data` goes to the next one (kContinue) or stays and comes again with more
  /// (kStop, with back-pressure at the buffer limit). kYes: the client has half-closed; once, maybe with an empty buffer.
  virtual NetworkFlow on_data(Buffer& data, EndStream end) {
    return static_cast<void>(data), static_cast<void>(end), NetworkFlow::kContinue;
  }
  /// Bytes for the client, from the end of the chain.
  virtual NetworkFlow on_write(Buffer& data, EndStream end) {
    return static_cast<void>(data), static_cast<void>(end), NetworkFlow::kContinue;
  }
  /// The client takes no more bytes / takes them again. Writers stop and go on.
  virtual void on_write_blocked() {}
  virtual void on_write_resumed() {}
  virtual void on_close(CloseEvent by) noexcept { static_cast<void>(by); }

 protected:
  NetworkFilterCallbacks* callbacks_ = nullptr;
};

/// Makes the filters of one configured place in a chain. Immutable after its making, shared by all workers;
/// create() is called on workers concurrently.
class NetworkFilterFactory {
 public:
  virtual ~NetworkFilterFactory() = default;
  /// A filter for a new connection on worker `worker`; null = no filter on this connection.
  virtual std::unique_ptr<NetworkFilter> create(unsigned worker) const = 0;
  /// Terminal filters (tcp_proxy, echo) end a chain and must be last.
  virtual bool terminal() const noexcept { return false; }
};

}  // namespace weir
