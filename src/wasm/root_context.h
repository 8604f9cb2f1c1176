// RootContext: one plugin inside one VM, with its timer and its callouts.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <weir/access_logger.h>
#include <weir/callout.h>

#include "event/loop.h"
#include "wasm/context.h"
#include "wasm/expression.h"
#include "wasm/filter_state.h"
#include "wasm/grpc_callouts.h"
#include "wasm/plugin.h"
#include "wasm/redis_callouts.h"
#include "wasm/stats.h"

namespace weir::wasm {

/// A callout that a guest asked for, in a form that may change threads: what a starting guest asks for waits until its worker
/// adopts the VM.
struct CalloutOrder {
  uint32_t id = 0;
  std::string cluster;
  std::vector<std::pair<std::string, std::string>> headers, trailers;
  std::string body;
  std::chrono::milliseconds timeout{0};
};

/// A callout in flight. Owner: its RootContext; dies through defer_delete after its completion.
class PendingCallout final : public CalloutHandler, public event::Deferrable {
 public:
  PendingCallout(RootContext& root, uint32_t id) noexcept : root_(root), id_(id) {}
  uint32_t id() const noexcept { return id_; }
  void hold(std::unique_ptr<Callout> callout) noexcept { callout_ = std::move(callout); }
  void on_callout_done(Result<CalloutResponse> response) noexcept override;

 private:
  RootContext& root_;
  uint32_t id_;
  std::unique_ptr<Callout> callout_;
};

/// Owner: its Vm. Thread: the VM's. Ids are given when the guest is told of it.
class RootContext final : public Context {
  // What each call needs stands beside the base.
  Vm& vm_;
  PluginCell& cell_;
  FunctionCell* functions_;

 public:
  RootContext(Vm& vm, std::shared_ptr<const Plugin> plugin, PluginStats& stats, PluginCell& cell)
      : Context(Kind::kRoot),
        vm_(vm),
        cell_(cell),
        functions_(stats.functions.starting_cells()),
        plugin_(std::move(plugin)),
        stats_(stats) {
    root = this;
  }
  Vm& vm() noexcept { return vm_; }
  const Plugin& plugin() const noexcept { return *plugin_; }
  PluginStats& stats() noexcept { return stats_; }
  PluginCell& cell() noexcept { return cell_; }
  FunctionCell& function_cell(const ExportFunction& function) noexcept {
    return functions_[function.index];
  }
  /// The VM is on this worker's thread from now on.
  void count_on(unsigned worker) noexcept { functions_ = stats_.functions.cells(worker); }

  /// The period holds from now on; 0 = no ticks.
  void set_tick(std::chrono::milliseconds period);
  /// On the worker: arms what was asked for while starting.
  void adopt(event::Loop& loop);
  /// Ends timers and callouts; no callback comes after it.
  void detach() noexcept;

  /// The guest wants a fresh VM: it comes when this one is old enough, so that asking all the time does not keep the engine
  /// thread busy.
  void request_rebuild();
  static constexpr std::chrono::milliseconds kMinVmAge{1000};

  /// Starts the callout, or keeps it until adopt(). Errors as Callouts::start().
  Result<void> start_callout(CalloutOrder order);
  size_t callouts() const noexcept {
    return callouts_.size() + orders_.size() + failed_.size() + grpc_.size() + redis.size();
  }
  GrpcCallouts& grpc() noexcept { return grpc_; }
  void deliver(PendingCallout& callout, Result<CalloutResponse> response) noexcept;
  /// Tells the guest of callouts that could not be started when the VM was adopted.
  void deliver_failures();

  /// Calls proxy_on_log about it: the plugin is an access logger.
  void log(const Exchange& exchange);
  /// Calls proxy_on_done; true when the root is finished (and was deleted: the guest knows no such context any more).
  bool end();
  /// The guest called proxy_done(), since proxy_on_done if that has been.
  bool finish_requested = false;
  bool ending = false;  // proxy_on_done answered false

  // Readable inside the callback that is about them.
  CalloutResponse* callout_response = nullptr;
  RedisCallouts redis{*this};
  const std::string* call_data = nullptr;
  const Exchange* logged = nullptr;  // in on_log of a plugin that is an access logger
  uint32_t status_code = 0;
  std::string_view status_text;
  /// What set_property stored without a stream.
  Properties properties;
  DeclaredProperties declared;
  Expressions expressions;

 private:
  static void on_tick(void* self);
  static void on_rebuild(void* self);
  Result<void> launch(CalloutOrder order);
  void deliver_failure(uint32_t callout);

  const std::shared_ptr<const Plugin> plugin_;
  PluginStats& stats_;
  event::Loop* loop_ = nullptr;  // null until adopted
  std::chrono::milliseconds tick_{0};
  std::optional<event::Timer> timer_;
  MonotonicTime adopted_{};
  bool rebuild_wanted_ = false;
  event::RareTimer rebuild_;
  std::vector<std::unique_ptr<PendingCallout>> callouts_;
  std::vector<CalloutOrder> orders_;
  std::vector<uint32_t> failed_;  // ids
  GrpcCallouts grpc_{*this};
};

}  // namespace weir::wasm
