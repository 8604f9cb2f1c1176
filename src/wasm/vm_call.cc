// Calls into the guest, and what host functions need of the running one.
#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/check.h"
#include "base/log.h"
#include "base/strings.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

constexpr uint64_t kPageBytes = 64 * 1024;
constexpr size_t kMaxDoomText = 1024;

int64_t coarse_second() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return time.tv_sec;
}

/// The lines below the reason, with the line break before them.
std::string_view stack_of(std::string_view trap) noexcept {
  return trap.substr(std::min(trap.find('\n'), trap.size()));
}

}  // namespace

CallResult Vm::enter_guest(Context& context, FunctionHandle function, std::span<const Value> args) {
  WEIR_CHECK(current_ == nullptr);  // guest calls never nest
  current_ = &context;
  effective_ = nullptr;
  const uint64_t begin = read_ticks();
  const uint64_t sequence = cell_->next();
  instance_->set_sequence(sequence);
  cell_->begin(sequence, *instance_, budget_ns_);
  services_.watchdog.note_call();
  const CallResult result = instance_->call(function, args);
  cell_->end();
  const uint64_t end = read_ticks();
  last_call_ticks_ = end - begin;
  if (cpu_) cpu_->add(end, last_call_ticks_);
  if (result.crowded) [[unlikely]]
    request_recycle();
  if (standard_.begun) [[unlikely]]
    flush_standard(result.end);
  current_ = nullptr;
  return result;
}

Vm::Outcome Vm::call(Context& context, const ExportFunction& function,
                     std::span<const Value> args) {
  if (dead_) return {};
  running_ = &function;
  const CallResult result = enter_guest(context, function.handle, args.first(function.params));
  running_ = nullptr;
  account(context, function, {});
  if (result.end == CallEnd::kOk && !doomed_ && !exiting_) [[likely]]
    return Outcome{true, static_cast<uint32_t>(result.value)};
  fail_call(result, context, function);
  return {};
}

Vm::Outcome Vm::call(Context& context, const JointFunction& function, std::span<const Value> args) {
  if (function.count == 1) return call(context, *function.steps[0], args);
  if (dead_) return {};
  joint_ = function.call.handle;
  const CallResult result = enter_guest(context, joint_, args.first(function.call.params));
  joint_ = kNoFunction;
  account(context, *function.steps[function.timed], {function.steps.data(), function.count});
  if (result.end == CallEnd::kOk && !doomed_ && !exiting_) [[likely]]
    return Outcome{true, static_cast<uint32_t>(result.value)};
  const unsigned step = instance_->step_of(function.call.handle);
  fail_call(result, context, *function.steps[std::min<unsigned>(step, function.count - 1u)]);
  return {};
}

void Vm::fail_call(const CallResult& result, const Context& context,
                   const ExportFunction& function) {
  const CallEnd end = doomed_ ? doom_ : result.end == CallEnd::kOk ? CallEnd::kExit : result.end;
  fail(end, context, function);
}

uint64_t Vm::last_call_cost_ns() const noexcept {
  const uint64_t wall = ticks_to_ns(last_call_ticks_);
  if (budget_ns_ == 0) return wall;
  return std::min(
      wall, budget_ns_ +
                static_cast<uint64_t>(std::chrono::nanoseconds(Watchdog::kMaxCpuOverrun).count()));
}

/// The time of a joint call is counted for one of its steps: between them nobody looks at the clock.
void Vm::account(Context& context, const ExportFunction& timed,
                 std::span<const ExportFunction* const> joined) {
  const uint64_t host_calls = std::exchange(host_calls_, 0);
  if (context.root == nullptr) return;
  RootContext& root = *context.root;
  const auto calls = static_cast<unsigned>(std::max<size_t>(joined.size(), 1));
  root.cell().count(calls, last_call_ticks_);
  for (const ExportFunction* each : joined)
    if (each != &timed) FunctionCell::bump(root.function_cell(*each).calls, 1);
  root.function_cell(timed).count(last_call_ticks_, host_calls, time_bounds_);
  const size_t bytes = instance_->memory().size();
  if (bytes != memory_bytes_) [[unlikely]]
    note_memory(bytes, context, timed);
}

void Vm::note_memory(size_t bytes, Context& context, const ExportFunction& function) {
  // What the module began with is no growth.
  if (memory_bytes_ != 0 && bytes > memory_bytes_)
    FunctionCell::bump(context.root->function_cell(function).grown_bytes, bytes - memory_bytes_);
  memory_bytes_ = bytes;
  record_.memory_bytes.store(bytes, std::memory_order_relaxed);
  // memory.grow answers the guest itself; that the next page is refused is all that can be seen here.
  if (bytes + kPageBytes <= vm_config().limits.max_memory_bytes) return;
  count_limit(LimitKind::kMemory, context);
}

void Vm::fail(CallEnd end, const Context& context, const ExportFunction& function) {
  dead_ = true;
  timed_out_ = end == CallEnd::kTerminated;
  record_.set_state(VmState::kDead);
  const std::string& trap = death_.empty() ? instance_->last_trap() : death_;
  std::string why;
  switch (end) {
    case CallEnd::kTerminated:
      why = base::concat("it ran longer than ", budget_ns_ / 1'000'000, " ms", stack_of(trap));
      break;
    case CallEnd::kExit:
      why = base::concat("it called proc_exit(", exit_code_, ")", stack_of(trap));
      break;
    default:
      why = instance_->out_of_memory()
                ? base::concat("the engine's heap limit is reached", stack_of(trap))
                : trap;
      break;
  }
  death_ = base::concat(function.name, ": ", why);
  const bool clean_exit =
      phase_ == Phase::kInitializing && end == CallEnd::kExit && exit_code_ == 0;
  if (clean_exit) return;  // run() takes it as success
  const Plugin& plugin =
      context.root != nullptr ? context.root->plugin() : *group_->plugins.front();
  PluginStats& stats = services_.stats.plugin(plugin.label());
  if (context.root != nullptr)
    FunctionCell::bump(context.root->function_cell(function).failures, 1);
  (end == CallEnd::kTerminated ? stats.timeouts : stats.traps).inc();
  stats.note({std::chrono::system_clock::now(), function.name, std::move(why), vm_config().vm_id,
              record_.worker, record_.on_main, canary()});
  if (instance_->out_of_memory()) stats.limits[static_cast<size_t>(LimitKind::kMemory)]->inc();
  WEIR_LOG_EVERY_MS(100, kWasm, kError, "guest failed",
                    {{"plugin", plugin.label()},
                     {"vm_id", vm_config().vm_id},
                     {"context", context.id},
                     {"why", death_},
                     {"canary", canary()}});
  if (owner_ != nullptr) owner_->on_vm_failed(*this);
}

uint32_t Vm::allocate(size_t size) {
  const Value args[] = {size};
  allocating_ = true;
  const CallResult result = instance_->call(exports_.allocate.handle, args);
  allocating_ = false;
  if (result.end == CallEnd::kOk && !exiting_) return static_cast<uint32_t>(result.value);
  // The engine has ended the nested call; the outer one has to end as well.
  if (!doomed_ && !exiting_) {
    doomed_ = true;
    doom_ = result.end;
    death_ = instance_->last_trap();
  }
  instance_->request_exit();
  return 0;
}

char* Vm::give_room(size_t size, Value pointer_at, Value size_at, Status& status) {
  GuestMemory before = memory();
  status = Status::kInvalidMemoryAccess;
  if (!before.contains(static_cast<uint32_t>(pointer_at), 4) ||
      !before.contains(static_cast<uint32_t>(size_at), 4))
    return nullptr;
  if (size == 0) {
    before.store<uint32_t>(pointer_at, 0);
    before.store<uint32_t>(size_at, 0);
    status = Status::kOk;
    return nullptr;
  }
  if (size > UINT32_MAX) return nullptr;
  const uint32_t at = allocate(size);
  if (at == 0) {
    if (!doomed_ && !exiting_) services_.stats.plugin(speaker().label()).allocator_nulls.inc();
    return nullptr;
  }
  // Anew: the allocator may have grown the memory. The addresses are stored before anything else runs in the guest, because
  // some guests keep no other reference to the block.
  GuestMemory after = memory();
  char* to = after.writable(at, size);
  if (to == nullptr || !after.store<uint32_t>(pointer_at, at) ||
      !after.store<uint32_t>(size_at, static_cast<uint32_t>(size)))
    return nullptr;
  status = Status::kOk;
  return to;
}

Status Vm::give(std::string_view bytes, Value pointer_at, Value size_at) {
  Status status = Status::kOk;
  char* to = give_room(bytes.size(), pointer_at, size_at, status);
  if (to != nullptr) bytes.copy(to, bytes.size());
  return status;
}

const Plugin& Vm::speaker() const noexcept {
  if (effective_ != nullptr && effective_holds()) return effective_->root->plugin();
  if (current_ != nullptr && current_->root != nullptr) return current_->root->plugin();
  return *group_->plugins.front();
}

void Vm::log(uint32_t level, std::string_view text) {
  write_guest_log(level, text);
  text = text.substr(0, kMaxLogLineBytes);  // what the log shows of it
  if (speaker().fails_on(text)) doom(base::concat("it logged: ", text.substr(0, kMaxDoomText)));
}

/// The call ends as if the guest had trapped where it is.
void Vm::doom(std::string why) {
  doomed_ = true;
  doom_ = CallEnd::kTrap;
  death_ = std::move(why);
  instance_->request_exit();
}

void Vm::write_guest_log(uint32_t level, std::string_view text) {
  const auto wanted = static_cast<base::Level>(level);
  if (!base::log_enabled(base::Component::kWasm, wanted)) return;
  const int64_t second = coarse_second();
  if (second != log_second_) {
    if (log_dropped_ > 0) {
      WEIR_LOG(kWasm, kWarn, "guest log lines dropped",
               {{"plugin", speaker().label()}, {"count", log_dropped_}});
    }
    log_second_ = second;
    log_lines_ = 0;
    log_dropped_ = 0;
  }
  if (++log_lines_ > vm_config().limits.max_log_lines_per_second) {
    if (log_dropped_++ == 0) {
      count_limit(LimitKind::kLogLines);
    } else {
      services_.stats.plugin(speaker().label())
          .limits[static_cast<size_t>(LimitKind::kLogLines)]
          ->inc();
    }
    return;
  }
  if (text.size() > kMaxLogLineBytes) text = text.substr(0, kMaxLogLineBytes);
  const Context* about = effective_ != nullptr && effective_holds() ? effective_ : current_;
  base::write_log(base::Component::kWasm, wanted, "guest",
                  {{"plugin", speaker().label()},
                   {"context", about != nullptr ? about->id : 0},
                   {"text", text}});
}

/// A line that the guest has not ended is logged when its call is over: it may have been its last. A call that has failed stays
/// failed for its own reason.
void Vm::flush_standard(CallEnd end) {
  standard_.begun = false;
  for (size_t i = 0; i < std::size(standard_.lines); ++i) {
    const std::string& line = standard_.lines[i];
    if (!line.empty() && end == CallEnd::kOk) log(StandardStreams::kLevels[i], line);
    if (!line.empty() && end != CallEnd::kOk) write_guest_log(StandardStreams::kLevels[i], line);
    standard_.lines[i].clear();
  }
}

// A line of its own for each plugin and limit: one that a guest reaches all the time must not hide the others.
void Vm::count_limit(LimitKind kind) {
  PluginStats& stats = services_.stats.plugin(speaker().label());
  stats.limits[static_cast<size_t>(kind)]->inc();
  if (current_ != nullptr && current_->root != nullptr) {
    auto& hits = current_->root->cell().limit_hits;
    hits.store(hits.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (const ExportFunction* function = running_function())
      FunctionCell::bump(current_->root->function_cell(*function).limit_hits, 1);
  }
  uint64_t suppressed = 0;
  if (!base::log_enabled(base::Component::kWasm, base::Level::kWarn) ||
      !stats.limit_lines[static_cast<size_t>(kind)].allow(suppressed))
    return;
  base::write_log(
      base::Component::kWasm, base::Level::kWarn, "guest reached a limit",
      {{"plugin", speaker().label()}, {"limit", limit_name(kind)}, {"suppressed", suppressed}});
}

const ExportFunction* Vm::running_function() noexcept {
  if (joint_ == kNoFunction) return running_;
  const JointFunction& joint = joint_ == begin_stream_.call.handle ? begin_stream_ : end_stream_;
  return joint.steps[std::min<unsigned>(instance_->step_of(joint_), joint.count - 1u)];
}

void Vm::count_limit(LimitKind kind, Context& context) {
  Context* const current = std::exchange(current_, &context);
  Context* const effective = std::exchange(effective_, nullptr);
  count_limit(kind);
  current_ = current;
  effective_ = effective;
}

bool Vm::admits(RootContext& root) {
  const Limits& limits = vm_config().limits;
  if (limits.max_streams != 0 && stream_count_ >= limits.max_streams) {
    count_limit(LimitKind::kStreams, root);
    return false;
  }
  if (cpu_ && cpu_->over(read_ticks())) {
    count_limit(LimitKind::kCpu, root);
    return false;
  }
  return true;
}

void Vm::exit(uint32_t code) {
  exiting_ = true;
  exit_code_ = code;
  instance_->request_exit();
}

bool Vm::set_effective(uint32_t id) noexcept {
  Context* found = contexts_.find(id);
  if (found == nullptr) return false;
  effective_ = found;
  effective_step_ = joint_ != kNoFunction ? instance_->step_of(joint_) : 0;
  return true;
}

// A callback sets the context for itself alone, in a joint call too.
bool Vm::effective_holds() const noexcept {
  return joint_ == kNoFunction || instance_->step_of(joint_) == effective_step_;
}

bool Vm::may_start_callout() {
  const Limits& limits = vm_config().limits;
  if (callouts_in_flight() >= limits.max_callouts) {
    count_limit(LimitKind::kCallouts);
    return false;
  }
  if (limits.max_callouts_per_second == 0) return true;
  if (const int64_t second = coarse_second(); second != callout_second_) {
    callout_second_ = second;
    callouts_started_ = 0;
  }
  if (callouts_started_ >= limits.max_callouts_per_second) {
    count_limit(LimitKind::kCalloutRate);
    return false;
  }
  ++callouts_started_;
  return true;
}

}  // namespace weir::wasm
