// LeafContext and its two kinds: a stream or a connection of one plugin, as host functions see it.
#pragma once

#include <memory>
#include <optional>
#include <weir/http_filter.h>
#include <weir/network_filter.h>

#include "base/intrusive_list.h"
#include "wasm/context.h"
#include "wasm/enums.h"

namespace weir::wasm {

struct StreamsTag {};
struct EffectsTag {};
struct WaitersTag {};

/// One direction of a stream.
struct DirectionState {
  bool head_open = false;      // the head stands at this filter and may be changed
  bool trailers_open = false;  // likewise
  bool body_end = false;       // in the body callback that carries the end: trailers may be made
  bool resume = false;         // continue_stream was called
  bool ended = false;          // the last byte came here
  bool unseen = false;         // the head is paused, and nothing behind it was shown to the guest
  bool buffering = false;      // the guest has the body held without back-pressure
  bool body_changed = false;   // the guest changed the body or its announced length
  bool length_dropped =
      false;  // content-length was removed because the body changed; restored when the size is known
  Buffer* body = nullptr;  // in a body callback: what it is about
  uint64_t passed = 0;     // body bytes that went on
  bool injected =
      false;  // of a response: bytes of the guest's own went on, and the head before them
};

/// What lives in a VM below its roots. Owner: the filter that it is a part of. Thread: the worker's. Effects of host calls are noted
/// here: the filter makes those of its own callback that callback's result; apply_effects() does the others at the end of the
/// loop's turn.
class LeafContext : public Context,
                    public base::ListNode<StreamsTag>,
                    public base::ListNode<EffectsTag>,
                    public base::ListNode<WaitersTag> {
 public:
  virtual ~LeafContext() = default;
  virtual void apply_effects() = 0;
  /// The VM is dead or expires: the failure policy decides what becomes of the stream. The VM is left.
  virtual void on_vm_gone() = 0;
  /// What the stream waited for in VmSlot::await(): a VM may be picked now, or there is none and the failure policy holds.
  virtual void on_wait_over() = 0;

  bool in_callback = false;  // its result carries the effects
  bool logging = false;      // in on_done or on_log: nothing may be changed

 protected:
  explicit LeafContext(Kind kind_of) noexcept : Context(kind_of) {}
};

/// One HTTP stream of one plugin.
class StreamContext : public LeafContext {
 public:
  StreamContext() noexcept : LeafContext(Kind::kStream) {}

  FilterCallbacks* callbacks = nullptr;
  DirectionState request, response;
  bool clear_route = false;
  bool keep_route =
      false;  // the guest wants it: writes to the request's head leave the route as it is
  bool replied = false;  // an answer was given or the stream reset; later ones are ignored
  bool reset_wanted = false;
  std::unique_ptr<LocalReply> reply;

  bool has_effects() const noexcept {
    return reply || reset_wanted || clear_route || request.resume || response.resume;
  }
};

/// One direction of a connection.
struct ByteDirection {
  Buffer* data = nullptr;  // in its data callback: what it is about
  bool resume = false;     // continue_stream was called
};

/// One connection of one plugin.
class ConnectionContext : public LeafContext {
 public:
  ConnectionContext() noexcept : LeafContext(Kind::kConnection) {}

  NetworkFilterCallbacks* callbacks = nullptr;
  ByteDirection downstream, upstream;  // from the client; for the client
  bool close_wanted = false;
  /// What properties are read from: the chain's own, or one that is filled here when somebody asks.
  StreamInfo& info();

  bool has_effects() const noexcept { return close_wanted || downstream.resume || upstream.resume; }

 private:
  std::unique_ptr<StreamInfo> own_info_;
};

}  // namespace weir::wasm
