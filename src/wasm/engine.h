// Engine: what the Wasm host needs of a WebAssembly engine. Implemented in wasm/v8, a shared module of its own that is
// loaded when the first plugin is configured; nothing else in wasm/ knows V8.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

namespace weir::wasm {

enum class ValueType : uint8_t { kI32, kI64, kF32, kF64, kOther };

/// A wasm value slot: i32 and i64 in the low bits (i32 zero- or sign-extended as the reader casts), f64 by bit_cast.
using Value = uint64_t;

struct Signature {
  std::vector<ValueType> params;
  std::vector<ValueType> results;  // at most one is supported
  bool operator==(const Signature&) const = default;
};

struct ImportInfo {
  std::string module;
  std::string name;
  enum class Kind : uint8_t { kFunction, kMemory, kTable, kGlobal, kOther } kind = Kind::kFunction;
  Signature signature;  // functions only
};
struct ExportInfo {
  std::string name;
  ImportInfo::Kind kind = ImportInfo::Kind::kFunction;
  Signature signature;
};

/// A compiled module, shared by all instances made from it. Immutable; thread-safe. Its imports and exports come from
/// the binary's own sections (parsed without the engine).
class Module {
 public:
  virtual ~Module() = default;
  virtual const std::vector<ImportInfo>& imports()
      const noexcept = 0;  // one entry per slot; duplicates kept
  virtual const std::vector<ExportInfo>& exports() const noexcept = 0;
  virtual size_t code_bytes() const noexcept = 0;
};

/// How a guest call ended.
enum class CallEnd : uint8_t {
  kOk,
  kTrap,        // unreachable, out of bounds, stack overflow, …
  kTerminated,  // interrupted by terminate()
  kExit,        // Instance::request_exit() was called by a host function
};

struct CallResult {
  CallEnd end = CallEnd::kOk;
  bool crowded = false;  // Isolate::crowded()
  Value value = 0;
};

/// A host function: `data` is what was bound, `args` has one slot per parameter of the import's own signature. The return
/// value is the result (ignored for functions without one).
using HostFunction = Value (*)(void* data, const Value* args, size_t count) noexcept;

struct Binding {
  HostFunction function = nullptr;
  void* data = nullptr;
};

/// An index into the resolved exports of an instance.
using FunctionHandle = uint32_t;
inline constexpr FunctionHandle kNoFunction = ~0u;

/// One function of a joint call, and which of the call's arguments each of its parameters gets.
struct JointStep {
  FunctionHandle function = kNoFunction;
  std::vector<uint8_t> arguments;
};

/// A heap of the engine's own, which instances may share that go to the same thread together: an isolate costs more memory than a
/// small guest does, and going from one to the next costs time. Guests that share one see nothing of each other. Lives as long as
/// an instance in it; its end may be the end of the last of them, on the engine thread.
class Isolate {
 public:
  virtual ~Isolate() = default;
  /// Its heap has been full while several instances were in it: no more should come, and those who share it should move to others.
  virtual bool crowded() const noexcept = 0;
};

/// One instance. Thread: one at a time, and the same as all others in its isolate; made on the engine thread, then used by its worker
/// only (adopt_on_this_thread()), disposed on the engine thread. terminate() alone may come from another thread.
class Instance {
 public:
  virtual ~Instance() = default;
  /// Binds / releases the isolate on the calling thread: it is bound while one of its instances is. A worker calls
  /// adopt_on_this_thread() once when it takes the instance and may keep it; calls are only legal in between.
  virtual void adopt_on_this_thread() = 0;
  virtual void release_from_this_thread() = 0;
  /// Lets go of what it has in the isolate; it is not called any more. Requires: adopted. An instance whose neighbours are on a
  /// worker is emptied there before it is disposed: the engine thread cannot enter their isolate.
  virtual void empty() noexcept = 0;

  /// Runs instantiation (and a start section). Imports are bound in the order of Module::imports(). Call once.
  virtual Result<void> instantiate(std::span<const Binding> imports) = 0;
  /// kNoFunction if there is no function export of that name.
  virtual FunctionHandle find_function(std::string_view name) const = 0;
  /// Calls an export. Nested calls (the allocator inside a host function) are legal.
  virtual CallResult call(FunctionHandle function, std::span<const Value> args) noexcept = 0;
  /// Makes one function of several exports, which it calls in order: the way into the engine and out of it costs more than a
  /// short callback does. It has as many i32 parameters as the steps refer to, and the result of the last step. Requires: between
  /// instantiate() and the first call; parameters and results of all steps are i32.
  virtual Result<FunctionHandle> join(std::span<const JointStep> steps) = 0;
  /// The step at which the joint call stands, or ended. Slow: for errors and rare questions.
  virtual unsigned step_of(FunctionHandle joint) noexcept = 0;
  /// The linear memory as it is now; empty if there is none. Asked for anew after every call into the guest.
  virtual std::span<uint8_t> memory() noexcept = 0;
  /// Text of the last trap, with a stack if there is one: function names (name section), and source lines (DWARF) where the module has
  /// them.
  virtual const std::string& last_trap() const noexcept = 0;
  /// Makes the running guest call end with kExit once the host function that called this returns.
  virtual void request_exit() noexcept = 0;
  /// From any thread: interrupts the guest call whose sequence number is `sequence`, if it still runs. A late request never hits the
  /// next call.
  virtual void terminate(uint64_t sequence) noexcept = 0;
  /// The sequence number of the running outermost call: set by the caller before call().
  virtual void set_sequence(uint64_t sequence) noexcept = 0;
  /// True when the isolate's heap limit ended the guest.
  virtual bool out_of_memory() const noexcept = 0;
  /// What the isolate's heap has grown by since this instance was made, its neighbours' later part included; the first in an
  /// isolate counts all of it.
  virtual size_t heap_bytes() noexcept = 0;
  /// Gives back what starting has left in the isolate's heap. Takes a millisecond: not on a worker.
  virtual void trim() noexcept = 0;
};

struct EngineLimits {
  uint64_t max_memory_bytes = 134217728;
  // The isolate's heap. A guest that has an isolate to itself ends there; where several share it the one that runs at twice as
  // much ends, and Isolate::crowded() asks for them to be parted before that.
  uint64_t max_heap_bytes = 64 * 1024 * 1024;
  uint32_t max_table_elements = 1000000;
  uint64_t max_module_bytes = 64 * 1024 * 1024;
  uint32_t max_functions = 200'000;  // imported ones too
};

/// Thread: all of it on the engine thread only.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const noexcept = 0;  // "v8"
  virtual std::string version() const = 0;
  /// Compiles. Declared maxima of memory and tables are lowered to the limits in the binary before compiling, so that
  /// memory.grow and table.grow fail beyond them. Errors (kConfig) say why.
  virtual Result<std::shared_ptr<const Module>> compile(std::string_view wasm,
                                                        const EngineLimits& limits) = 0;
  virtual std::shared_ptr<Isolate> make_isolate(const EngineLimits& limits) = 0;
  /// Requires: none of the isolate's instances has gone to a worker.
  virtual Result<std::unique_ptr<Instance>> make_instance(std::shared_ptr<const Module> module,
                                                          std::shared_ptr<Isolate> isolate) = 0;
};

/// The shared module's only symbol: `extern "C" weir::wasm::Engine* weir_wasm_engine(uint32_t abi)`; null for another abi.
inline constexpr uint32_t kEngineAbi = 5;
using EngineEntry = Engine* (*)(uint32_t abi);
inline constexpr const char* kEngineSymbol = "weir_wasm_engine";

/// Loads libweir_<name>.so from $WEIR_ENGINE_PATH, the binary's folder, the one above it, or ../lib/weir. Once per process; never
/// unloaded.
Result<Engine*> load_engine(std::string_view name);

}  // namespace weir::wasm
