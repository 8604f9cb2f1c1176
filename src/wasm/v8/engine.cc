// The engine of libweir_v8.so. See wasm/engine.h for the contract.
#include <memory>
#include <string>

#include "wasm/engine.h"
#include "wasm/v8/instance.h"
#include "wasm/v8/module.h"

namespace weir::wasm::v8engine {
namespace {

/// Owner: the process; V8 cannot be initialised twice. Thread: the engine thread.
class V8Engine : public Engine {
 public:
  V8Engine() {
    // One helper thread: it tiers hot functions up; the serving threads never compile.
    platform_ = v8::platform::NewDefaultPlatform(1);
    v8::V8::SetFlagsFromString("--no-flush-bytecode --single-threaded-gc --wasm-dynamic-tiering");
    v8::V8::InitializePlatform(platform_.get());
    v8::V8::Initialize();
    if (enable_trap_handler()) growth_ = MemoryGrowth::kInPlace;
  }

  std::string_view name() const noexcept override { return "v8"; }
  std::string version() const override { return v8::V8::GetVersion(); }

  Result<std::shared_ptr<const Module>> compile(std::string_view wasm,
                                                const EngineLimits& limits) override {
    WEIR_TRY(binary, binary::read_binary(wasm, limits));
    const std::unique_ptr<v8::ArrayBuffer::Allocator> allocator(
        v8::ArrayBuffer::Allocator::NewDefaultAllocator());
    v8::Isolate::CreateParams params;
    params.array_buffer_allocator = allocator.get();
    v8::Isolate* isolate = v8::Isolate::New(params);
    auto outcome = compile_in(isolate, std::move(binary));
    isolate->Dispose();
    return outcome;
  }

  std::shared_ptr<Isolate> make_isolate(const EngineLimits& limits) override {
    return std::make_shared<V8Isolate>(*platform_, limits);
  }

  Result<std::unique_ptr<Instance>> make_instance(std::shared_ptr<const Module> module,
                                                  std::shared_ptr<Isolate> isolate) override {
    return std::make_unique<V8Instance>(std::static_pointer_cast<const V8Module>(std::move(module)),
                                        std::static_pointer_cast<V8Isolate>(std::move(isolate)),
                                        growth_);
  }

 private:
  static Result<std::shared_ptr<const Module>> compile_in(v8::Isolate* isolate,
                                                          binary::Binary binary) {
    const v8::Locker locker(isolate);
    const v8::Isolate::Scope isolate_scope(isolate);
    const v8::HandleScope handles(isolate);
    const v8::Local<v8::Context> context = v8::Context::New(isolate);
    const v8::Context::Scope context_scope(context);
    v8::TryCatch caught(isolate);
    const v8::MemorySpan<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(binary.bytes.data()),
                                              binary.bytes.size());
    v8::Local<v8::WasmModuleObject> module;
    if (!v8::WasmModuleObject::Compile(isolate, bytes).ToLocal(&module)) {
      const v8::String::Utf8Value why(isolate, caught.Exception());
      return fail(Code::kConfig, Side::kLocal,
                  *why != nullptr ? *why : "the module does not compile");
    }
    v8::CompiledWasmModule compiled = module->GetCompiledModule();
    return std::make_shared<const V8Module>(std::move(binary), std::move(compiled));
  }

  std::unique_ptr<v8::Platform> platform_;
  MemoryGrowth growth_ = MemoryGrowth::kMayMove;
};

}  // namespace
}  // namespace weir::wasm::v8engine

extern "C" __attribute__((visibility("default"))) weir::wasm::Engine* weir_wasm_engine(
    uint32_t abi) {
  if (abi != weir::wasm::kEngineAbi) return nullptr;
  // Lives as long as the process: worker threads may still hold isolates while static objects die.
  static auto* engine = new weir::wasm::v8engine::V8Engine();
  return engine;
}
