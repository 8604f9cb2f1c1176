// FilterChain: drives the filters of one stream. Filters are called from here and from nowhere else.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <weir/http_filter.h>

#include "event/loop.h"
#include "stream/filter_times.h"
#include "stream/read_gate.h"
#include "stream/terminal.h"

namespace weir::stream {

/// The two messages of an exchange and what is known of it. Owner: the stream.
struct Exchange {
  RequestHead request;
  HeaderMap request_trailers;
  ResponseHead response;
  HeaderMap response_trailers;
  StreamInfo info;
};

/// What a chain uses of its surroundings; all outlive it.
struct ChainEnvironment {
  event::Loop* loop = nullptr;
  unsigned worker = 0;
  Callouts* callouts = nullptr;
  size_t buffer_limit = 1024 * 1024;
  const std::atomic<bool>* health_check_failed = nullptr;  // null: never
};

/// Where the request comes from and where the response leaves the chain.
class ChainHost {
 public:
  virtual ~ChainHost() = default;
  virtual const RouteRef* match_route() = 0;
  virtual void send_informational(const ResponseHead& head) = 0;
  virtual void send_response_head(EndStream end) = 0;  // Exchange::response
  virtual void send_response_body(Buffer& data, EndStream end) = 0;
  virtual void send_response_trailers() = 0;  // Exchange::response_trailers
  /// Fills Exchange::response and `body` from a filter's answer.
  virtual void prepare_reply(LocalReply& reply, Buffer& body) = 0;
  /// The response must be cut visibly. on_chain_done() follows.
  virtual void abort_response(std::string_view details) = 0;
  virtual void hold_request() = 0;
  virtual void release_request() = 0;
  /// The exchange is over for the chain; the host calls FilterChain::end() once it has completed StreamInfo.
  virtual void on_chain_done() = 0;
};

/// Runs one exchange through its filters: head, body* and trailers in order, each direction on its own.
///
/// Owner: the stream, which uses it again after clear(). Thread: the stream's loop. Order: begin(), add()*, then
/// request_*() as the message comes; the terminal filter (always the last) feeds the response. What a filter asks for during a
/// callback happens after that callback; what it asks for at another time happens at the end of the loop's turn. end()
/// tells every filter, exactly once, that the stream is over; clear() destroys them.
/// What a lane of one filter holds (head, body, trailers) only that filter's own continue releases.
class FilterChain final : public TerminalCallbacks {
 public:
  FilterChain();
  ~FilterChain() override;
  FilterChain(const FilterChain&) = delete;
  FilterChain& operator=(const FilterChain&) = delete;

  void begin(ChainHost& host, Exchange& exchange, const ChainEnvironment& environment,
             size_t max_filters);
  /// Before the first message: the response gets the header "x-weir-filters".
  void measure_filters() noexcept { clock_.start(); }
  /// `name` lives as long as the snapshot.
  void add(std::unique_ptr<HttpFilter> filter, std::string_view name);
  void add_terminal(std::unique_ptr<HttpFilter> filter, std::string_view name);
  void clear() noexcept;

  // From the host. `data` is emptied.
  void request_head(EndStream end);
  void request_body(Buffer& data, EndStream end);
  void request_trailers_received();
  /// An answer of the host itself (timeouts); as a filter's reply, before any filter if none was entered.
  void reply(LocalReply reply);
  /// The client does not take bytes / takes them again.
  void on_response_blocked();
  void on_response_resumed();
  /// The last calls of the filters; after it the chain does nothing but clear().
  void end() noexcept;

  bool active() const noexcept { return active_; }
  bool response_started() const noexcept { return response_head_sent_; }
  bool replied() const noexcept { return replied_; }
  bool request_complete() const noexcept { return request_complete_; }
  bool in_callback() const noexcept { return depth_ > 0; }

  // TerminalCallbacks
  event::Loop& loop() noexcept override { return *environment_.loop; }
  unsigned worker() const noexcept override { return environment_.worker; }
  const RouteRef* route() override;
  ResponseHead& response_head_storage() noexcept override { return exchange_->response; }
  HeaderMap& response_trailers_storage() noexcept override { return exchange_->response_trailers; }
  HeaderMap* request_trailers() noexcept override;
  void send_informational(const ResponseHead& head) override;
  void send_response_head(EndStream end) override;
  void send_response_body(Buffer& data, EndStream end) override;
  void send_response_trailers() override;
  void abort_response(std::string_view details) override;
  void hold_request() override;
  void release_request() override;
  bool request_ended() const noexcept override { return request_complete_; }
  Exchange& exchange() noexcept override { return *exchange_; }
  const ChainEnvironment& environment() const noexcept override { return environment_; }

 private:
  /// Why a lane lets nothing pass. kAll: what is held was not shown to the filter yet; else it was.
  enum class Stop : uint8_t { kNone, kHead, kBody, kTrailers, kAll };

  /// One direction of one filter.
  struct Lane {
    Buffer held;
    Buffer added;           // add_*_body during a callback of this lane
    Buffer passed;          // pass_*_body: goes on in front of `held`
    uint64_t received = 0;  // body bytes that arrived while the head stands here
    Stop stop = Stop::kNone;
    bool entered = false;  // the head callback was called
    bool in_callback = false;
    bool releasing = false;
    bool head_waiting = false;
    bool head_end = false;  // the message ended with the head
    bool body_end = false;  // the message's end stands behind `held`
    bool trailers_waiting = false;
    bool trailers_added = false;
    bool at_end = false;  // in the callback that carries the end of the body
    bool end_passed = false;
    bool holds_sender = false;
    bool continue_due = false;
    bool injected = false;  // `passed` goes even before the head was to go on
    bool end_due = false;   // the message ends with `passed`
    bool show_due = false;  // kAll becomes kHead
    void clear() noexcept;
  };
  class Slot;
  class Turn;

  template <Direction D>
  Lane& lane(int index) noexcept;
  template <Direction D>
  HeaderMap& headers() noexcept;
  template <Direction D>
  bool at_exit(int index) const noexcept;
  template <Direction D>
  uint32_t& epoch() noexcept;
  // The walk of each part of a message from filter `index` on.
  template <Direction D>
  void run_head(int index, EndStream end);
  template <Direction D>
  void run_body(int index, Buffer& data, EndStream end);
  template <Direction D>
  void run_trailers(int index);
  template <Direction D>
  Flow call_head(int index, EndStream end);
  template <Direction D>
  Flow call_body(int index, Buffer& data, EndStream end);
  template <Direction D>
  Flow call_trailers(int index);
  template <Direction D>
  bool settle_head(int index, Flow flow, EndStream end);
  template <Direction D>
  bool settle_body(int index, Flow flow, Buffer& data, bool merged, EndStream end);
  template <Direction D>
  bool settle_trailers(int index, Flow flow);
  template <Direction D>
  void keep_body(int index, Buffer& data, bool merged, EndStream end);
  template <Direction D>
  void drop_body(int index, Buffer& data, bool merged, EndStream end);
  // What leaves the last filter of a direction.
  template <Direction D>
  void exit_head(EndStream end);
  template <Direction D>
  void exit_body(Buffer& data, EndStream end);
  template <Direction D>
  void exit_trailers();
  template <Direction D>
  bool length_holds(size_t more, bool end);
  // What filters ask for.
  template <Direction D>
  void release(int index);
  template <Direction D>
  void continue_from(int index);
  template <Direction D>
  void add_body(int index, Buffer&& data);
  template <Direction D>
  void pass_body(int index, Buffer&& data);
  void inject_body(int index, Buffer&& data, EndStream end);  // of the response
  void show_body(int index);                                  // of the request
  void show_held(int index);
  template <Direction D>
  bool flush_passed(int index);
  template <Direction D>
  HeaderMap& add_trailers(int index);
  template <Direction D>
  void run_due(int index);
  template <Direction D>
  void fix_length(Lane& lane, Stop stop);
  template <Direction D>
  void check_limit(int index, bool watermark);
  template <Direction D>
  void hold_sender(Lane& lane, bool hold);
  template <Direction D>
  void kill();
  template <Direction D>
  void after_callback(int index);
  void schedule();
  void run_deferred();
  void put_filter_times();
  void do_reply();
  void do_reset();
  void response_over();
  void request_over();
  void finish();
  static void on_end_of_turn(void* self);

  ChainHost* host_ = nullptr;
  Exchange* exchange_ = nullptr;
  ChainEnvironment environment_;
  std::unique_ptr<Slot[]> slots_;
  int capacity_ = 0;
  int count_ = 0;
  TerminalFilter* terminal_ = nullptr;
  std::optional<event::EndOfTurn> end_of_turn_;
  std::optional<LocalReply> reply_due_;
  std::string reset_details_;
  const RouteRef* route_ = nullptr;
  FilterClock clock_;
  ReadGate request_gate_;
  ReadGate response_gate_;
  size_t injected_unread_ = 0;  // bytes that filters have made since the client stopped reading
  size_t request_limit_ = 0;
  size_t response_limit_ = 0;
  struct Length {
    int64_t declared = -1;  // content-length of the head that left the chain
    uint64_t passed = 0;
    bool changed = false;  // a filter changed the size of a body
  };
  Length request_length_;
  Length response_length_;
  int entered_ = 0;       // filters whose request head callback was called
  int response_low_ = 0;  // lowest filter whose response head callback was called
  int depth_ = 0;         // driver calls on the stack
  uint32_t request_epoch_ =
      0;  // bumped when a direction is cut short: loops below on the stack stop
  uint32_t response_epoch_ = 0;
  bool active_ = false;
  bool ended_ = false;
  bool done_ = false;  // nothing more may pass
  bool done_told_ = false;
  bool pending_ = false;
  bool reset_due_ = false;
  bool replied_ = false;  // the answer is our own: what the terminal filter sends is ignored
  bool route_matched_ = false;
  bool request_dead_ = false;
  bool request_complete_ = false;
  bool request_over_ = false;  // its end has reached the terminal filter
  bool response_over_ = false;
  bool response_head_seen_ = false;
  bool response_head_sent_ = false;
  bool request_trailers_seen_ = false;
  bool response_trailers_seen_ = false;
};

}  // namespace weir::stream
