// An isolate and its one context, which the instances in it share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "wasm/engine.h"
#include "wasm/v8/compat.h"

namespace weir::wasm::v8engine {

class V8Instance;

/// Owner: the instances in it. Thread: the one that holds its Locker, between adopt() and release(); terminate() may come from any.
/// Death: on the engine thread.
///
/// It stays entered between calls, with its scope of handles and its context: entering costs as much as a short call does. A chain
/// that is gone through one way enters isolates, and the way back only leaves them again.
class V8Isolate final : public Isolate {
 public:
  V8Isolate(v8::Platform& platform, const EngineLimits& limits);
  ~V8Isolate() override;

  v8::Isolate* get() const noexcept { return isolate_; }
  v8::Local<v8::Context> context() const noexcept { return strong(context_); }

  void adopt();
  void release();
  /// On this thread. Requires: no call of an instance in another isolate runs here.
  void enter() noexcept {
    if (entered != this) [[unlikely]]
      enter_anew();
  }
  /// V8 has isolates left in the order opposite to that in which they were entered: leaving one leaves those that were
  /// entered after it.
  void leave() noexcept;

  // ---- the running call
  /// What is called inside it nests: a guest's allocator in a host function.
  bool running() const noexcept { return running_ != nullptr; }
  void begin(V8Instance& instance) noexcept { running_ = &instance; }
  void end() noexcept { running_ = nullptr; }
  /// After an outermost call: what calls leave behind, now and then.
  void tidy() noexcept {
    if (++calls_ % kTidyEvery == 0) [[unlikely]]
      collect_remains();
  }
  void set_sequence(uint64_t sequence) noexcept {
    sequence_.store(sequence, std::memory_order_relaxed);
  }
  /// From any thread: see Instance::terminate().
  void terminate(uint64_t sequence) noexcept;

  // ---- the instances in it
  /// True for the first.
  bool add() noexcept { return instances_++ == 0; }
  /// `memory`, which it leaves for the collector, goes back to the system where others stay.
  void remove(std::span<uint8_t> memory) noexcept;
  bool crowded() const noexcept override { return crowded_; }
  size_t heap_bytes() noexcept;
  void trim() noexcept;

 private:
  static size_t on_heap_limit(void* self, size_t current, size_t initial) noexcept;
  static void on_interrupt(v8::Isolate* isolate, void* self) noexcept;
  void enter_anew() noexcept;
  void leave_top() noexcept;  // requires: it is the last that was entered
  void open() noexcept;       // requires: entered
  void close() noexcept;      // leaves the isolate too
  void collect_remains() noexcept;

  static constexpr unsigned kTidyEvery = 16;  // calls whose handles may add up

  /// The one that was entered last on this thread; those that were entered before it follow by below_. The module is loaded late:
  /// with another model each look would be a call.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local V8Isolate* entered;

  v8::Isolate* isolate_ = nullptr;
  V8Instance* running_ = nullptr;
  v8::Global<v8::Context> context_;
  std::atomic<uint64_t> sequence_{0};
  unsigned calls_ = 0;
  bool entered_ = false;
  bool crowded_ = false;
  bool remains_ = false;  // of instances that have left
  V8Isolate* below_ = nullptr;
  std::optional<v8::HandleScope> handles_;  // between open() and close()

  std::atomic<uint64_t> terminate_sequence_{0};
  v8::Platform& platform_;
  const uint64_t max_heap_bytes_;
  unsigned users_ = 0;
  unsigned instances_ = 0;
  std::unique_ptr<v8::ArrayBuffer::Allocator> allocator_;
  std::unique_ptr<v8::Locker> locker_;
};

}  // namespace weir::wasm::v8engine
