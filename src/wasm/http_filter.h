// WasmFilter: one stream of one plugin, between the chain driver and the guest.
#pragma once

#include <memory>
#include <weir/http_filter.h>

#include "wasm/plugin.h"
#include "wasm/stream_context.h"
#include "wasm/vm.h"

namespace weir::wasm {

class WorkerVms;

/// Whose plugin a stream gets: the filter's, or that of its route where it has one.
enum class PluginOf : uint8_t { kFilter, kRoute };

/// Owner: the stream's chain. Thread: the worker's.
/// The guest learns of the stream with its first callback (or at its end). After a failure of the VM the stream follows the
/// plugin's failure policy and the guest is not called again; the other streams of the VM do so at the end of the turn. A stream
/// that the dead VM did not know yet takes the replacement, and waits for it where it is being started.
class WasmFilter final : public HttpFilter, public StreamContext {
 public:
  /// `plugin` belongs to the factory, which the stream's snapshot holds.
  WasmFilter(const Plugin& plugin, PluginStats& stats, WorkerVms& vms,
             PluginOf plugin_of = PluginOf::kFilter);
  ~WasmFilter() override;
  // One per request and plugin: from a list of its own, not from malloc.
  static void* operator new(size_t size);
  static void operator delete(void* memory) noexcept;

  void attach(FilterCallbacks& to) override;
  Flow on_request_head(RequestHead& head, EndStream end) override;
  Flow on_request_body(Buffer& data, EndStream end) override;
  Flow on_request_trailers(HeaderMap& trailers) override;
  Flow on_response_head(ResponseHead& head, EndStream end) override;
  Flow on_response_body(Buffer& data, EndStream end) override;
  Flow on_response_trailers(HeaderMap& trailers) override;
  void on_stream_end(const StreamInfo& info) noexcept override;

  void apply_effects() override;
  void on_vm_gone() override;
  void on_wait_over() override;

 private:
  enum class State : uint8_t {
    kNew,       // the guest does not know the stream yet
    kWaiting,   // the request's head is held until there is a VM
    kActive,    // the guest is called
    kBypassed,  // the stream goes on without the filter
    kFailed,    // the stream was answered or cut
  };
  void take_vm();
  void choose_plugin();
  Flow begin(RequestHead& head, EndStream end);
  bool enter();  // the guest knows of the stream; false: the policy holds
  Flow failed(const DirectionState& direction);
  Flow inactive(const DirectionState& direction) const noexcept;
  Flow run_headers(const ExportFunction& callback, DirectionState& direction, size_t count,
                   EndStream end);
  Vm::Outcome call_headers(const ExportFunction& callback, const DirectionState& direction,
                           size_t count);
  Flow run_body(const ExportFunction& callback, DirectionState& direction, Buffer& data,
                EndStream end);
  bool overflows(const DirectionState& direction, size_t bytes);
  Flow run_trailers(const ExportFunction& callback, DirectionState& direction, size_t count);
  Flow effects_of_callback(DirectionState& direction, Flow flow);
  void resume(DirectionState& direction);
  void go_on(DirectionState& direction);
  HeaderMap* headers_of(const DirectionState& direction) noexcept;
  void pass_head(DirectionState& direction);
  bool pass_body(DirectionState& direction, size_t size);
  void send_reply();
  void leave() noexcept;

  const Plugin* plugin_;
  PluginStats* stats_;
  WorkerVms& vms_;
  Vm* vm_ = nullptr;  // null once left
  const PluginOf plugin_of_;
  bool refused_ = false;  // by a limit: no VM for this stream
  State state_ = State::kNew;
};

}  // namespace weir::wasm
