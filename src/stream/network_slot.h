// NetworkChain::Slot: one filter's place in a network chain. Private to stream/network_chain*.cc.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "stream/loop_timer.h"
#include "stream/network_chain.h"

namespace weir::stream {

/// A callback is on the stack: what filters ask for meanwhile happens when the outermost has returned.
class NetworkChain::Pass {
 public:
  explicit Pass(NetworkChain& chain) : chain_(chain) { ++chain.depth_; }
  ~Pass() {
    if (--chain_.depth_ == 0 && chain_.work_due_) chain_.settle();
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

 private:
  NetworkChain& chain_;
};

class NetworkChain::Slot final : public NetworkFilterCallbacks {
 public:
  Slot(NetworkChain& chain, size_t index, std::unique_ptr<NetworkFilter> filter)
      : chain_(chain), index_(index), filter_(std::move(filter)) {}

  ConnectionInfo& connection_info() noexcept override { return chain_.deps_.info; }
  StreamInfo* stream_info() noexcept override { return chain_.deps_.stream_info; }
  void continue_writing() override {
    write_on_due_ = true;
    chain_.schedule();
  }
  void continue_reading() override {
    continue_due_ = true;
    chain_.schedule();
  }
  void inject_read(Buffer&& data, EndStream end) override {
    injected_.append(std::move(data));
    injected_end_ |= end == EndStream::kYes;
    start_due_ = true;
    chain_.schedule();
  }
  void write(Buffer&& data, EndStream end) override;
  void close(CloseHow how, std::string_view details) override { chain_.close(how, details); }
  void hold_reading() override {
    if (chain_.open() && holds_++ == 0) chain_.deps_.connection.hold_reading();
  }
  void release_reading() override {
    if (holds_ > 0 && --holds_ == 0 && chain_.open()) chain_.deps_.connection.release_reading();
  }
  size_t unsent() const noexcept override;
  size_t buffer_limit() const noexcept override { return chain_.deps_.buffer_limit; }
  Callouts& callouts() noexcept override { return chain_.deps_.callouts; }
  unsigned worker() const noexcept override { return chain_.deps_.worker; }
  std::unique_ptr<StreamTimer> start_timer(std::chrono::milliseconds delay, void (*handler)(void*),
                                           void* argument) override {
    return std::make_unique<LoopTimer>(chain_.deps_.loop, delay, handler, argument);
  }

 private:
  friend class NetworkChain;
  NetworkChain& chain_;
  const size_t index_;
  std::unique_ptr<NetworkFilter> filter_;
  Buffer held_;      // reading: what the filter has stopped at
  Buffer kept_;      // writing: the same
  Buffer injected_;  // for the filters behind it
  Buffer written_;   // for the filters in front of it
  uint32_t holds_ = 0;
  bool started_ = false;
  bool held_end_ = false;
  bool kept_end_ = false;
  bool injected_end_ = false;
  bool start_due_ = false;  // the filters behind it are to be started, if nothing else
  bool written_end_ = false;
  bool continue_due_ = false;
  bool write_on_due_ = false;
};

}  // namespace weir::stream
