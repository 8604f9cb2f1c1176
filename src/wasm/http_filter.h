// WasmFilter: one stream of one plugin, between the chain driver and the guest.
#pragma once

#include <memory>
#include <weir/http_filter.h>

#include "wasm/plugin.h"
#include "wasm/stream_context.h"
#include "wasm/vm.h"

namespace weir::wasm {

/// Owner: the stream's chain. Thread: the worker's.
/// The guest learns of the stream with its first callback (or at its end). After a failure of the VM the stream follows the
/// plugin's failure policy and the guest is not called again; the other streams of the VM do so at the end of the turn.
class WasmFilter final : public HttpFilter, public StreamContext {
 public:
  /// `vm` may be null: there is none now, and the policy decides. `plugin` belongs to the factory, which the stream's snapshot holds.
  WasmFilter(const Plugin& plugin, PluginStats& stats, Vm* vm, RootContext* root);
  ~WasmFilter() override;

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

 private:
  enum class State : uint8_t {
    kActive,    // the guest is called
    kBypassed,  // the stream goes on without the filter
    kFailed,    // the stream was answered or cut
  };
  bool enter();  // the guest knows of the stream; false: the policy holds
  Flow failed(const Direction& direction);
  Flow inactive(const Direction& direction) const noexcept;
  Flow run_headers(const ExportFunction& callback, Direction& direction, size_t count,
                   EndStream end);
  Flow run_body(const ExportFunction& callback, Direction& direction, Buffer& data, EndStream end);
  Flow run_trailers(const ExportFunction& callback, Direction& direction, size_t count);
  Flow effects_of_callback(Direction& direction, Flow flow);
  void resume(Direction& direction);
  HeaderMap* headers_of(const Direction& direction) noexcept;
  void pass_head(Direction& direction);
  bool pass_body(Direction& direction, size_t size);
  void send_reply();
  void leave() noexcept;

  const Plugin& plugin_;
  PluginStats& stats_;
  Vm* vm_;  // null once left
  State state_ = State::kActive;
};

}  // namespace weir::wasm
