// One instance of a module in an isolate of its own.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wasm/engine.h"
#include "wasm/v8/module.h"

namespace weir::wasm::v8engine {

/// With the trap handler V8 reserves the address space of a whole memory, which then grows in place: its backing store stays the
/// same object. Else growing may make another one.
enum class MemoryGrowth : uint8_t { kInPlace, kMayMove };

/// Owner: a Vm. Thread: the one that holds the Locker (adopt_on_this_thread); terminate() may come from any.
/// Death: on the engine thread, after release_from_this_thread() on the worker.
class V8Instance : public Instance {
 public:
  V8Instance(v8::Platform& platform, std::shared_ptr<const V8Module> module,
             const EngineLimits& limits, MemoryGrowth growth);
  ~V8Instance() override;

  void adopt_on_this_thread() override;
  void release_from_this_thread() override;
  Result<void> instantiate(std::span<const Binding> imports) override;
  FunctionHandle find_function(std::string_view name) const override;
  CallResult call(FunctionHandle function, std::span<const Value> args) noexcept override;
  Result<FunctionHandle> join(std::span<const JointStep> steps) override;
  unsigned step_of(FunctionHandle joint) noexcept override;
  std::span<uint8_t> memory() noexcept override;
  const std::string& last_trap() const noexcept override { return last_trap_; }
  void request_exit() noexcept override { exit_requested_ = true; }
  void terminate(uint64_t sequence) noexcept override;
  void set_sequence(uint64_t sequence) noexcept override {
    sequence_.store(sequence, std::memory_order_relaxed);
  }
  bool out_of_memory() const noexcept override { return out_of_memory_; }
  size_t heap_bytes() noexcept override;
  void trim() noexcept override;

 private:
  /// One import: what V8 hands back to the trampoline.
  struct Slot {
    V8Instance* instance;
    Binding binding;
    const Signature* signature;
  };
  struct Export {
    v8::Global<v8::Function> function;
    const Signature* signature;
  };
  /// A joint function stands behind the exports; this is what else belongs to it.
  struct Joint {
    std::unique_ptr<Signature> signature;
    v8::Global<v8::Object> step;  // the WebAssembly.Global with the number of the step
  };

  static void on_host_call(const v8::FunctionCallbackInfo<v8::Value>& info) noexcept;
  static size_t on_heap_limit(void* self, size_t current, size_t initial) noexcept;
  static void on_interrupt(v8::Isolate* isolate, void* self) noexcept;
  v8::Local<v8::Object> make_imports(v8::Local<v8::Context> context,
                                     std::span<const Binding> imports);
  v8::MaybeLocal<v8::Object> make_instance(v8::Local<v8::Context> context,
                                           v8::Local<v8::WasmModuleObject> module,
                                           v8::Local<v8::Object> imports);
  bool read_exports(v8::Local<v8::Context> context, v8::Local<v8::Object> instance);
  /// Leaves a handle or two in the scope around it. Requires: entered, or inside a host call.
  CallResult invoke(Export& target, std::span<const Value> args) noexcept;
  CallEnd classify(const v8::TryCatch& caught, v8::Local<v8::Context> context) noexcept;
  void watch_memory() noexcept;
  void use_memory(v8::Local<v8::ArrayBuffer> memory) noexcept;
  // The isolate on this thread. Requires: no call of another instance runs here. V8 has them left in the order
  // opposite to that in which they were entered: leaving one leaves those that were entered after it.
  void enter() noexcept;
  void leave() noexcept;
  void leave_top() noexcept;  // requires: it is the last that was entered
  // The scope of handles and the context belong to the isolate, and stay while the thread is in others.
  void open() noexcept;   // requires: entered
  void close() noexcept;  // leaves the isolate too
  /// Now and then: what calls leave behind.
  void tidy() noexcept;

  // What each call needs comes first and together: a chain goes through the instances of all of its plugins in turn.
  v8::Isolate* isolate_ = nullptr;
  V8Instance* below_ = nullptr;  // was entered before it
  v8::Global<v8::Context> context_;
  std::vector<Export> exports_;
  uint8_t* memory_start_ = nullptr;
  std::shared_ptr<v8::BackingStore> memory_;
  std::atomic<uint64_t> sequence_{0};
  const MemoryGrowth growth_;
  bool entered_ = false;
  bool exit_requested_ = false;
  bool out_of_memory_ = false;
  unsigned depth_ = 0;
  unsigned calls_ = 0;

  std::atomic<uint64_t> terminate_sequence_{0};
  std::optional<v8::HandleScope> handles_;  // between open() and close()
  v8::Platform& platform_;
  std::shared_ptr<const V8Module> module_;
  std::unique_ptr<v8::ArrayBuffer::Allocator> allocator_;
  std::unique_ptr<v8::Locker> locker_;
  v8::Global<v8::WasmMemoryObject> memory_object_;
  std::vector<Slot> slots_;
  std::vector<std::string_view>
      export_names_;           // parallel to exports_, without the joint functions behind them
  std::vector<Joint> joints_;  // the last of exports_
  std::string last_trap_;
  std::string stopped_at_;  // the stack of a call that is being ended
};

}  // namespace weir::wasm::v8engine
