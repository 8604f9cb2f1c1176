// Carrier: what carries a request to its upstream where that is not an Exchange alone.
#pragma once

#include <weir/buffer.h>
#include <weir/message.h>

namespace weir::router {

/// Owner: the router filter, which is its upstream::ExchangeSink. Thread: the stream's. After cancel() or time_out() it calls
/// nobody.
class Carrier {
 public:
  virtual ~Carrier() = default;
  /// Empties `data`.
  virtual void send_body(Buffer& data, EndStream end) = 0;
  virtual void send_trailers(HeaderMap& trailers) = 0;
  /// Stop and resume reading the response.
  virtual void hold_response() = 0;
  virtual void release_response() = 0;
  virtual void cancel() noexcept = 0;
  /// As cancel(), for want of an answer in time.
  virtual void time_out() noexcept = 0;
  virtual bool active() const noexcept = 0;
  /// The request has been sent a second time.
  virtual bool retried() const noexcept { return false; }
};

}  // namespace weir::router
