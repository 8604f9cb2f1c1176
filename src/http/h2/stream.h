// What both roles keep of one stream.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>
#include <weir/buffer.h>
#include <weir/message.h>

#include "base/intrusive_list.h"

namespace weir::http::h2 {

struct OpenTag;      // all that have a receiver or an unfinished sender
struct ReceivedTag;  // bytes of the peer's are still to be told
struct WaitingTag;   // data that waits for the connection's writing
struct ResumedTag;   // the sender is to be told that it may go on

/// Owner: the role's StreamPool, which uses it again. nghttp2 holds a pointer until the multiplexer takes it back.
struct Stream : base::ListNode<OpenTag>,
                base::ListNode<ReceivedTag>,
                base::ListNode<WaitingTag>,
                base::ListNode<ResumedTag> {
  int32_t id = 0;  // 0: not known to nghttp2 (yet, or any more)
  Buffer received;
  Buffer unsent;
  HeaderMap trailers;        // to be sent
  int64_t length_left = -1;  // of the declared content-length of what is sent; -1: none declared
  int64_t awaited = -1;      // … of what is received; -1: none declared
  uint32_t unconsumed =
      0;  // received bytes for which the peer gets no window while the stream is held
  uint32_t holds = 0;
  uint32_t progress = 0;     // bytes sent since on_progress()
  bool input_ended = false;  // the peer's END_STREAM has come
  bool peer_reset = false;   // the peer's RST_STREAM has come
  bool head_sent = false;
  bool output_ended = false;  // the sender has given the end
  bool has_trailers = false;
  bool deferred = false;  // nghttp2 waits for resume_data
  bool told_blocked = false;
  bool bodiless = false;  // what the sender gives as a body is not sent (HEAD, 204, 304)

  /// Requires: in no list.
  void reset() noexcept {
    id = 0;
    received.clear();
    unsent.clear();
    trailers.clear();
    length_left = awaited = -1;
    unconsumed = holds = progress = 0;
    input_ended = peer_reset = head_sent = output_ended = has_trailers = deferred = false;
    told_blocked = bodiless = false;
  }
};

/// Streams of one connection, used again and again; no more than were ever under way at once.
template <typename RoleStream>
class StreamPool {
 public:
  template <typename Owner>
  RoleStream& take(Owner& owner) {
    if (free_.empty()) {
      all_.push_back(std::make_unique<RoleStream>(owner));
      free_.reserve(all_.size());
      return *all_.back();
    }
    RoleStream& stream = *free_.back();
    free_.pop_back();
    return stream;
  }
  void give(RoleStream& stream) noexcept { free_.push_back(&stream); }

 private:
  std::vector<std::unique_ptr<RoleStream>> all_;
  std::vector<RoleStream*> free_;
};

}  // namespace weir::http::h2
