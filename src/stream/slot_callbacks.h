// What the chain driver offers a filter of weir's own, beside FilterCallbacks.
#pragma once

#include <weir/http_filter.h>

namespace weir::stream {

/// The callbacks that every filter of a FilterChain is attached to: a filter which is in no other chain may cast to it.
class SlotCallbacks : public FilterCallbacks {
 public:
  /// After kPauseAll from a request's head: the head goes on being held, and what waits behind it comes to the filter now, as
  /// after kPauseHead. Nothing where no head is held so.
  virtual void show_request_body() = 0;
};

}  // namespace weir::stream
