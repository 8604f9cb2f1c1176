// One instance of a module.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wasm/engine.h"
#include "wasm/v8/isolate.h"
#include "wasm/v8/module.h"

namespace weir::wasm::v8engine {

/// With the trap handler V8 reserves the address space of a whole memory, which then grows in place: its backing store stays the
/// same object. Else growing may make another one.
enum class MemoryGrowth : uint8_t { kInPlace, kMayMove };

/// Owner: a Vm. Thread: its isolate's; terminate() may come from any. Death: on the engine thread, after empty() and
/// release_from_this_thread() on the worker.
class V8Instance : public Instance {
 public:
  V8Instance(std::shared_ptr<const V8Module> module, std::shared_ptr<V8Isolate> isolate,
             MemoryGrowth growth);
  ~V8Instance() override;

  void adopt_on_this_thread() override;
  void release_from_this_thread() override;
  void empty() noexcept override;
  Result<void> instantiate(std::span<const Binding> imports) override;
  FunctionHandle find_function(std::string_view name) const override;
  CallResult call(FunctionHandle function, std::span<const Value> args) noexcept override;
  Result<FunctionHandle> join(std::span<const JointStep> steps) override;
  unsigned step_of(FunctionHandle joint) noexcept override;
  std::span<uint8_t> memory() noexcept override;
  const std::string& last_trap() const noexcept override { return last_trap_; }
  void request_exit() noexcept override { exit_requested_ = true; }
  void terminate(uint64_t sequence) noexcept override { isolate_->terminate(sequence); }
  void set_sequence(uint64_t sequence) noexcept override { isolate_->set_sequence(sequence); }
  bool out_of_memory() const noexcept override { return out_of_memory_; }
  size_t heap_bytes() noexcept override;
  void trim() noexcept override { isolate_->trim(); }

  // From the isolate, on the guest's own thread: the running call is to end.
  void on_heap_full() noexcept;
  void on_time_over() noexcept;

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
  // Requires: entered, with a scope of handles around them.
  v8::Local<v8::Object> make_imports(std::span<const Binding> imports);
  v8::MaybeLocal<v8::Object> make_instance(v8::Local<v8::WasmModuleObject> module,
                                           v8::Local<v8::Object> imports);
  bool read_exports(v8::Local<v8::Object> instance);
  /// Leaves a handle or two in the scope around it. Requires: entered, or inside a host call.
  CallResult invoke(Export& target, std::span<const Value> args) noexcept;
  CallEnd classify(const v8::TryCatch& caught) noexcept;
  /// After a call in which V8 was asked to end it, whose own end is given.
  CallEnd end_of_termination(CallEnd end) noexcept;
  void watch_memory() noexcept;
  void use_memory(v8::Local<v8::ArrayBuffer> memory) noexcept;
  v8::Isolate* v8_isolate() const noexcept { return isolate_->get(); }

  // What each call needs comes first and together: a chain goes through the instances of all of its plugins in turn.
  const std::shared_ptr<V8Isolate> isolate_;
  std::vector<Export> exports_;
  uint8_t* memory_start_ = nullptr;
  std::shared_ptr<v8::BackingStore> memory_;
  const MemoryGrowth growth_;
  bool exit_requested_ = false;
  bool ending_ = false;  // V8 has been asked to end the running call
  bool out_of_memory_ = false;
  bool adopted_ = false;
  bool empty_ = false;

  std::shared_ptr<const V8Module> module_;
  size_t heap_before_ = 0;
  v8::Global<v8::WasmMemoryObject> memory_object_;
  std::vector<Slot> slots_;
  std::vector<std::string_view>
      export_names_;           // parallel to exports_, without the joint functions behind them
  std::vector<Joint> joints_;  // the last of exports_
  std::string last_trap_;
  std::string stopped_at_;  // the stack of a call that is being ended
};

}  // namespace weir::wasm::v8engine
