// WasmNetworkFilter: one connection of one plugin, between the network chain and the guest.
#pragma once

#include <weir/network_filter.h>

#include "wasm/plugin.h"
#include "wasm/stream_context.h"
#include "wasm/vm.h"

namespace weir::wasm {

class WorkerVms;

/// Owner: the connection's chain. Thread: the worker's.
/// The guest learns of the connection with on_new_connection. A connection that finds no VM waits for the one that is being started;
/// one whose VM dies follows the plugin's failure policy, and the guest is not called again.
class WasmNetworkFilter final : public NetworkFilter, public ConnectionContext {
 public:
  /// `plugin` belongs to the factory, which the connection's session holds.
  WasmNetworkFilter(const Plugin& plugin, PluginStats& stats, WorkerVms& vms)
      : plugin_(plugin), stats_(stats), vms_(vms) {}
  ~WasmNetworkFilter() override { leave(); }

  void attach(NetworkFilterCallbacks& to) override;
  NetworkFlow on_new_connection() override;
  NetworkFlow on_data(Buffer& data, EndStream end) override;
  NetworkFlow on_write(Buffer& data, EndStream end) override;
  void on_close(CloseEvent by) noexcept override;

  void apply_effects() override;
  void on_vm_gone() override;
  void on_wait_over() override;

 private:
  enum class State : uint8_t {
    kNew,       // the guest does not know the connection yet
    kWaiting,   // everything is held until there is a VM
    kHeld,      // the guest holds the connection since on_new_connection
    kActive,    // bytes go through the guest
    kBypassed,  // they go on without it
    kClosed,    // the connection is being closed
  };
  void take_vm();
  NetworkFlow begin();
  bool enter();
  NetworkFlow failed();
  NetworkFlow effects_of_callback(ByteDirection& own, bool paused);
  NetworkFlow run_data(const ExportFunction& callback, ByteDirection& direction, Buffer& data,
                       EndStream end);
  void tell_upstream_closed(uint32_t peer);
  void hold_early(bool held);
  void offer_early();
  void pass_early();
  void resume_reading();
  void leave() noexcept;
  /// A connection that the guest is called about.
  bool live() const noexcept { return state_ == State::kActive || state_ == State::kHeld; }

  const Plugin& plugin_;
  PluginStats& stats_;
  WorkerVms& vms_;
  Vm* vm_ = nullptr;  // null once left
  State state_ = State::kNew;
  bool refused_ = false;  // by a limit: no VM for this connection
  bool reading_held_ = false;
  bool upstream_seen_ = false;    // it has sent something
  bool upstream_closed_ = false;  // which the guest has been told
  bool early_end_ = false;
  Buffer early_;  // what came before the guest could be asked, or what it then paused at
};

}  // namespace weir::wasm
