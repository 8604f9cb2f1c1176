// StreamedCall: a request of a filter's own that is sent and answered piece by piece.
#pragma once

#include <memory>
#include <optional>
#include <weir/callout.h>

#include "event/loop.h"
#include "upstream/exchange.h"

namespace weir::router {

class CalloutClient;

/// Owner: the client, then the loop's list of deferred deletions. Thread: the worker's. Order: begin(), send(); it ends by itself,
/// by abandon() of its handle, or by detach() of its client.
class StreamedCall final : public event::Deferrable, private upstream::ExchangeSink {
 public:
  StreamedCall(CalloutClient& client, upstream::Cluster& cluster, StreamedCalloutRequest request,
               StreamedCalloutHandler& handler);

  Result<std::unique_ptr<StreamedCallout>> begin(upstream::Cluster& cluster);
  /// Nobody is told any more.
  void detach() noexcept;
  size_t index = 0;  // in its client's list

 private:
  class Handle;
  void abandon() noexcept;
  void send(Buffer& data, EndStream end);

  ResponseHead& exchange_head() noexcept override { return head_; }
  HeaderMap& exchange_trailers() noexcept override { return trailers_; }
  void on_exchange_connected(upstream::UpstreamStream& stream) override;
  void on_exchange_informational() override {}
  void on_exchange_head(size_t wire_bytes, EndStream end) override;
  void on_exchange_body(Buffer& data, EndStream end) override;
  void on_exchange_trailers() override;
  void on_exchange_failed(const upstream::Failure& failure) override;
  void on_exchange_blocked() override { blocked_ = true; }
  void on_exchange_resumed() override;

  void arm_timer();
  void flush();
  void fail_later(Error error);
  void fail(const Error& error);
  StreamedCalloutHandler* finish() noexcept;
  static void on_timeout(void* self) noexcept;
  static void on_due(void* self) noexcept;

  CalloutClient& client_;
  upstream::ClusterSharedState& state_;
  const std::shared_ptr<const upstream::ClusterOptions> options_;  // the cluster's
  event::Loop& loop_;
  StreamedCalloutRequest request_;
  StreamedCalloutHandler* handler_;  // null: over
  Handle* handle_ = nullptr;
  ResponseHead head_;
  HeaderMap trailers_;
  Buffer unsent_;
  EndStream end_ = EndStream::kNo;  // of the request, as its user has said
  bool end_sent_ = false;
  bool blocked_ = false;
  std::optional<Error> failure_;           // that is to be told
  std::optional<MonotonicTime> deadline_;  // by its own timeout
  bool limited_ = false;                   // the timer is for the cluster's max_stream_duration
  upstream::Exchange exchange_;
  event::Timer timer_;
  event::EndOfTurn due_;
  event::RareTimer failing_;
};

}  // namespace weir::router
