// Vm: one instance of a module with its own linear memory, and the contexts that live in it.
#pragma once

#include <atomic>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/intrusive_list.h"
#include "wasm/cpu_share.h"
#include "wasm/embedder.h"
#include "wasm/enums.h"
#include "wasm/exports.h"
#include "wasm/guest_memory.h"
#include "wasm/root_context.h"
#include "wasm/stream_context.h"
#include "wasm/vm_group.h"

namespace weir::wasm {

/// Who has the VM on its worker.
class VmOwner {
 public:
  virtual ~VmOwner() = default;
  /// The VM is dead. Called with guest frames gone but the stream's callback still on the stack: nothing may be destroyed.
  virtual void on_vm_failed(Vm& vm) = 0;
  /// There are effects to apply at the end of the turn, or a root has finished.
  virtual void on_vm_work(Vm& vm) = 0;
  /// The last stream has left.
  virtual void on_vm_idle(Vm& vm) = 0;
  /// A fresh VM is to take its place (see VmSlot::recycle()). May be called inside a guest call.
  virtual void on_vm_worn(Vm& vm) = 0;
  virtual event::Loop& loop() = 0;
  virtual Callouts& callouts() = 0;
  virtual WatchCell& watch_cell() = 0;
  virtual QueueListener& queue_listener() = 0;
};

/// What the start of a VM came to.
struct StartFailure {
  std::shared_ptr<const Plugin> plugin;
  std::string message;
};

/// Owner: the engine thread while it starts, then a worker's slot, then the engine thread again, which disposes of it.
/// Guest calls never nest: whatever a host function asks for happens after the guest has returned. The one nested call is the
/// guest's allocator (see give()).
class Vm {
 public:
  enum class Role : uint8_t { kCanary, kWorker };
  enum class Phase : uint8_t { kInitializing, kConfiguring, kRunning, kEnding };
  struct Outcome {
    bool ok = false;
    uint32_t value = 0;
  };

  Vm(std::shared_ptr<const VmGroup> group, Services& services, Role role, unsigned worker);
  ~Vm();  // on the engine thread
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  /// On the engine thread: instantiates, runs the module's own start and starts every plugin. Releases the instance.
  std::optional<StartFailure> start(WatchCell& cell, std::shared_ptr<Isolate> isolate);
  /// On the worker's thread: takes the instance over, and starts what the guest asked for meanwhile.
  void adopt(VmOwner& owner);
  /// On the worker's thread, whether it was adopted or not: ends timers and callouts, and empties the instance. Requires: no streams.
  void release();
  /// proxy_on_done of all roots; true when none wants to stay.
  bool end_roots();
  /// Deletes roots that have called proxy_done(); true when none is left.
  bool reap_roots();

  /// Calls the guest. Not ok: the VM is dead now (or was). `context` is current during the call.
  Outcome call(Context& context, const ExportFunction& function, std::span<const Value> args);
  /// Likewise, several callbacks as one call, which has one budget of time.
  Outcome call(Context& context, const JointFunction& function, std::span<const Value> args);
  /// A stream's first two callbacks, with id, root, number of headers and end; empty where the guest lacks one of them.
  const JointFunction& begin_stream() const noexcept { return begin_stream_; }
  /// The callbacks at a stream's end, with its id.
  const JointFunction& end_stream() const noexcept { return end_stream_; }

  // ---- for host functions -------------------------------------------------------------------------
  GuestMemory memory() noexcept { return GuestMemory(*instance_); }
  /// The context that host calls are about now. Requires: not restricted().
  Context& context() noexcept {
    return effective_ != nullptr && effective_holds() ? *effective_ : *current_;
  }
  RootContext& root() noexcept { return *context().root; }
  StreamContext* stream() noexcept {
    return context().kind == Context::Kind::kStream ? static_cast<StreamContext*>(&context())
                                                    : nullptr;
  }
  ConnectionContext* connection() noexcept {
    return context().kind == Context::Kind::kConnection
               ? static_cast<ConnectionContext*>(&context())
               : nullptr;
  }
  /// In proxy_on_configure of this root.
  bool configuring(const RootContext& root) const noexcept {
    return running_ == &exports_.configure && current_ == &root;
  }
  void note_host_call() noexcept { ++host_calls_; }
  /// True while the module's own start or the guest's allocator runs: only log, clocks and inert WASI are served then.
  bool restricted() const noexcept { return allocating_ || phase_ == Phase::kInitializing; }
  /// Hands bytes to the guest: memory from its allocator, address and size stored at once. Nothing is allocated for no bytes.
  Status give(std::string_view bytes, Value pointer_at, Value size_at);
  /// As give(), for `size` bytes that the caller writes to the returned place. Null: the status says why, or size is 0.
  char* give_room(size_t size, Value pointer_at, Value size_at, Status& status);
  /// Notes a log line of the guest, under the rate limit. A line that the plugin fails on ends the call.
  void log(uint32_t level, std::string_view text);
  void count_limit(LimitKind kind);
  void count_limit(LimitKind kind, Context& context);  // outside of guest calls too
  void exit(uint32_t code);
  /// A fresh VM is to take this one's place. Without effect before a worker has it.
  void request_recycle() {
    if (owner_ != nullptr) owner_->on_vm_worn(*this);
  }
  /// Effects of this stream or connection are to be applied at the end of the turn.
  void defer(LeafContext& stream);
  /// A root has something to do at the end of the turn.
  void defer_root() {
    if (owner_ != nullptr) owner_->on_vm_work(*this);
  }
  bool set_effective(uint32_t id) noexcept;
  /// Counts one more; false when as many are in flight, or were started within the second, as may be.
  bool may_start_callout();
  /// The first of all is not 0, which a failed http_call leaves behind.
  uint32_t next_callout_id(CalloutKind kind) noexcept {
    last_callout_id_ += kCalloutKinds;
    if (last_callout_id_ == 0) last_callout_id_ += kCalloutKinds;
    return last_callout_id_ | static_cast<uint32_t>(kind);
  }

  // ---- streams and connections --------------------------------------------------------------------
  /// Whether a new one of this plugin may enter; a limit that refuses it is counted.
  bool admits(RootContext& root);
  void enter_stream(LeafContext& stream) noexcept;
  void leave_stream(LeafContext& stream) noexcept;
  uint32_t add_context(Context& context) { return contexts_.add(context); }
  void remove_context(Context& context) noexcept;
  /// Applies all effects that wait.
  void apply_effects();
  /// Streams leave the VM, each under its failure policy.
  void fail_streams();
  size_t streams() const noexcept { return stream_count_; }

  // ---- state --------------------------------------------------------------------------------------
  const VmGroup& group() const noexcept { return *group_; }
  const VmConfig& vm_config() const noexcept { return group_->vm(); }
  /// What the guest may not see; null: nothing.
  const Privacy* privacy() const noexcept { return vm_config().privacy.get(); }
  const Exports& exports() const noexcept { return exports_; }
  Services& services() noexcept { return services_; }
  VmRecord& record() noexcept { return record_; }
  VmOwner* owner() noexcept { return owner_; }
  Instance& instance() noexcept { return *instance_; }
  RootContext* find_root(const Key& plugin) noexcept;
  RootContext* find_root(uint32_t id) noexcept;
  std::span<const std::unique_ptr<RootContext>> roots() const noexcept { return roots_; }
  size_t callouts_in_flight() const noexcept;
  bool dead() const noexcept { return dead_; }
  bool canary() const noexcept { return role_ == Role::kCanary; }
  const std::string& death() const noexcept { return death_; }
  /// What has killed it is the watchdog.
  bool timed_out() const noexcept { return timed_out_; }
  /// What the last call has cost: its time, or its budget where it waited for the processor longer.
  uint64_t last_call_cost_ns() const noexcept;
  const Plugin& speaker() const noexcept;  // whose name a log line carries
  /// The store for reading and the one for writing; a canary writes to one of its own.
  SharedStore& shared_data() noexcept { return *shared_data_.operator->(); }
  SharedStore* canary_data() noexcept { return canary_data_.get(); }
  /// Queues that a canary has registered and nobody else: their ids are of it alone.
  CanaryQueues& canary_queues() noexcept { return canary_queues_; }

  struct Metric {
    CustomMetric* metric;  // null: dropped
    MetricType type;
  };
  struct Metrics {
    std::vector<Metric> by_id;
    std::map<std::string, uint32_t, std::less<>> ids;  // type digit and name
  };
  Metrics& metrics() noexcept { return metrics_; }
  struct StandardStreams {
    static constexpr uint32_t kLevels[2] = {2, 4};  // info and error
    bool begun = false;                             // one of the lines
    std::string lines[2];                           // stdout and stderr, up to the next newline
  };
  StandardStreams& standard_streams() noexcept { return standard_; }
  /// Queues that a starting guest has registered, with its root: announced when a worker adopts the VM.
  std::vector<std::pair<std::string, uint32_t>>& pending_queues() noexcept {
    return pending_queues_;
  }

 private:
  struct JointPart {
    const ExportFunction* function;
    std::vector<uint8_t> arguments;
  };
  static Result<void> fail_start(std::string why) {
    return weir::fail(Error{Code::kGuestFault, Side::kLocal, std::move(why)});
  }
  Result<void> instantiate(std::shared_ptr<Isolate> isolate);
  Result<void> run_start();
  Result<void> start_root(RootContext& root);
  Result<void> run(const ExportFunction& function, std::span<const Value> args);
  Result<void> join_callbacks();
  Result<JointFunction> join(std::initializer_list<JointPart> parts);
  CallResult enter_guest(Context& context, FunctionHandle function, std::span<const Value> args);
  void account(Context& context, const ExportFunction& timed,
               std::span<const ExportFunction* const> joined);
  void flush_standard(CallEnd end);
  void fail(CallEnd end, const Context& context, const ExportFunction& function);
  void fail_call(const CallResult& result, const Context& context, const ExportFunction& function);
  bool effective_holds() const noexcept;
  void note_memory(size_t bytes, Context& context, const ExportFunction& function);
  const ExportFunction* running_function() noexcept;
  uint32_t allocate(size_t size);
  void write_guest_log(uint32_t level, std::string_view text);
  void doom(std::string why);

  // What each call needs comes first and together: a chain goes through the VMs of all of its plugins in turn.
  std::unique_ptr<Instance> instance_;
  Services& services_;
  WatchCell* cell_ = nullptr;
  uint64_t budget_ns_ = 0;
  Context* current_ = nullptr;               // of the running guest call
  Context* effective_ = nullptr;             // until the callback that has set it is over
  const ExportFunction* running_ = nullptr;  // while a call that is not joint runs
  uint64_t last_call_ticks_ = 0;
  size_t memory_bytes_ = 0;             // after the last call
  uint64_t host_calls_ = 0;             // of the running call
  std::unique_ptr<CpuShare> cpu_;       // null: it is not limited
  FunctionHandle joint_ = kNoFunction;  // while a joint call runs
  unsigned effective_step_ = 0;         // of the joint call: the callback that has set it
  bool dead_ = false;
  bool allocating_ = false;
  bool doomed_ = false;  // as if it had trapped: the call ends, and the VM with it
  bool exiting_ = false;
  Phase phase_ = Phase::kInitializing;
  CallEnd doom_ = CallEnd::kOk;
  uint32_t exit_code_ = 0;
  StandardStreams standard_;
  JointFunction begin_stream_, end_stream_;
  size_t stream_count_ = 0;
  uint64_t streams_seen_ = 0;
  base::IntrusiveList<LeafContext, StreamsTag> streams_;
  ContextTable contexts_;

  const std::shared_ptr<const VmGroup> group_;
  VmRecord& record_;
  const Role role_;
  const TimeBounds& time_bounds_ = TimeBounds::common();
  std::vector<ImportBinding> bindings_;  // what the instance's imports refer to
  Exports exports_;
  VmOwner* owner_ = nullptr;
  struct OwnContext final : Context {  // what is current while the module's own start runs
    OwnContext() noexcept : Context(Kind::kRoot) {}
  };
  OwnContext own_;
  bool timed_out_ = false;
  std::string death_;
  std::vector<std::unique_ptr<RootContext>> roots_;
  base::IntrusiveList<LeafContext, EffectsTag> effects_;
  uint32_t last_callout_id_ = 0;

  SharedStores::Use shared_data_;
  std::unique_ptr<SharedStore> canary_data_;
  CanaryQueues canary_queues_;
  Metrics metrics_;
  std::vector<std::pair<std::string, uint32_t>> pending_queues_;
  int64_t callout_second_ = 0;
  uint32_t callouts_started_ = 0;  // in that second
  int64_t log_second_ = 0;
  uint32_t log_lines_ = 0;
  uint64_t log_dropped_ = 0;
};

}  // namespace weir::wasm
