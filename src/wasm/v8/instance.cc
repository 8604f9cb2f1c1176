#include "wasm/v8/instance.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "wasm/v8/joint.h"
#include "wasm/v8/stack.h"

namespace weir::wasm::v8engine {
namespace {

constexpr size_t kMaxArgs = 16;       // the longest host function has 12 parameters
constexpr size_t kMaxExportArgs = 8;  // the longest callback has 5
constexpr size_t kHeapGrace =
    16 * 1024 * 1024;                  // heap that V8 may still use to unwind after the limit
constexpr unsigned kTidyEvery = 16;    // calls whose handles may add up
constexpr unsigned kPumpEvery = 4096;  // calls between looks at V8's foreground tasks
constexpr size_t kMaxTrapText = 4096;
constexpr const char* kHeapIsFull = "the engine's heap limit is reached";

/// The instance whose isolate was entered last on this thread; those that were entered before it follow by below_. They stay
/// entered between calls, because entering costs as much as a short call does: a chain that is gone through one way enters
/// its instances, and the way back only leaves them again. The module is loaded late: with another model each look would be
/// a call.
[[gnu::tls_model("initial-exec")]] constinit thread_local V8Instance* entered = nullptr;

Value from_js(v8::Local<v8::Value> value, ValueType type) {
  int32_t small = 0;
  if (type == ValueType::kI32 && small_integer(value, small)) [[likely]]
    return static_cast<uint32_t>(small);
  switch (type) {
    case ValueType::kI32:
      return static_cast<uint32_t>(value.As<v8::Int32>()->Value());
    case ValueType::kI64:
      return value.As<v8::BigInt>()->Uint64Value();
    case ValueType::kF32:
      return std::bit_cast<uint32_t>(static_cast<float>(value.As<v8::Number>()->Value()));
    case ValueType::kF64:
      return std::bit_cast<uint64_t>(value.As<v8::Number>()->Value());
    case ValueType::kOther:
      return 0;
  }
  return 0;
}

v8::Local<v8::Value> to_js(v8::Isolate* isolate, Value value, ValueType type) {
  switch (type) {
    case ValueType::kI32:
      return v8::Integer::New(isolate, static_cast<int32_t>(value));
    case ValueType::kI64:
      return v8::BigInt::NewFromUnsigned(isolate, value);
    case ValueType::kF32:
      return v8::Number::New(isolate, std::bit_cast<float>(static_cast<uint32_t>(value)));
    case ValueType::kF64:
      return v8::Number::New(isolate, std::bit_cast<double>(value));
    case ValueType::kOther:
      return v8::Null(isolate);
  }
  return v8::Undefined(isolate);
}

std::string to_text(v8::Isolate* isolate, v8::Local<v8::Value> value) {
  const v8::String::Utf8Value utf8(isolate, value);
  if (*utf8 == nullptr) return "unknown error";
  return std::string(*utf8, static_cast<size_t>(utf8.length())).substr(0, kMaxTrapText);
}

}  // namespace

V8Instance::V8Instance(v8::Platform& platform, std::shared_ptr<const V8Module> module,
                       const EngineLimits& limits, MemoryGrowth growth)
    : growth_(growth),
      platform_(platform),
      module_(std::move(module)),
      allocator_(v8::ArrayBuffer::Allocator::NewDefaultAllocator()) {
  v8::Isolate::CreateParams params;
  params.array_buffer_allocator = allocator_.get();
  params.constraints.set_max_old_generation_size_in_bytes(limits.max_heap_bytes);
  params.constraints.set_max_young_generation_size_in_bytes(1024 * 1024);
  isolate_ = v8::Isolate::Allocate();
  v8::Isolate::Initialize(isolate_, params);
  isolate_->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
  isolate_->AddNearHeapLimitCallback(&V8Instance::on_heap_limit, this);
}

V8Instance::~V8Instance() {
  {
    if (!locker_) adopt_on_this_thread();
    close();
    const v8::Isolate::Scope isolate_scope(isolate_);
    memory_.reset();
    memory_object_.Reset();
    for (Export& each : exports_) each.function.Reset();
    for (Joint& each : joints_) each.step.Reset();
    context_.Reset();
    isolate_->RemoveNearHeapLimitCallback(&V8Instance::on_heap_limit, 0);
  }
  locker_.reset();
  isolate_->Dispose();
}

void V8Instance::adopt_on_this_thread() { locker_ = std::make_unique<v8::Locker>(isolate_); }

void V8Instance::release_from_this_thread() {
  close();
  locker_.reset();
}

void V8Instance::enter() noexcept {
  if (entered == this) [[likely]]
    return;
  if (entered_) {  // somewhere below
    while (entered != this) entered->leave_top();
    return;
  }
  isolate_->Enter();
  entered_ = true;
  below_ = std::exchange(entered, this);
  if (!handles_) [[unlikely]]
    open();
}

void V8Instance::open() noexcept {
  handles_.emplace(isolate_);
  context_.Get(isolate_)->Enter();
}

void V8Instance::close() noexcept {
  if (!handles_) return;
  enter();
  strong(context_)->Exit();
  handles_.reset();
  leave();
}

void V8Instance::leave_top() noexcept {
  isolate_->Exit();
  entered_ = false;
  entered = std::exchange(below_, nullptr);
}

void V8Instance::leave() noexcept {
  while (entered_) entered->leave_top();
}

size_t V8Instance::on_heap_limit(void* self, size_t current, size_t) noexcept {
  // Without a callback that gives room V8 aborts the process; with it the guest ends and unwinds.
  auto& instance = *static_cast<V8Instance*>(self);
  // It has no stack to show: the collector runs here, and an interrupt would come too late.
  instance.out_of_memory_ = true;
  instance.isolate_->TerminateExecution();
  return current + kHeapGrace;
}

void V8Instance::terminate(uint64_t sequence) noexcept {
  terminate_sequence_.store(sequence, std::memory_order_relaxed);
  isolate_->RequestInterrupt(&V8Instance::on_interrupt, this);
}

void V8Instance::on_interrupt(v8::Isolate* isolate, void* self) noexcept {
  // Runs on the guest's own thread, maybe in a later call than the one that was meant.
  auto& instance = *static_cast<V8Instance*>(self);
  const uint64_t meant = instance.terminate_sequence_.load(std::memory_order_relaxed);
  if (instance.depth_ == 0 || meant != instance.sequence_.load(std::memory_order_relaxed)) return;
  instance.stopped_at_ = current_stack(isolate);
  isolate->TerminateExecution();
}

void V8Instance::on_host_call(const v8::FunctionCallbackInfo<v8::Value>& info) noexcept {
  auto& slot = *static_cast<Slot*>(info.Data().As<v8::External>()->Value());
  const auto& params = slot.signature->params;
  std::array<Value, kMaxArgs> args;
  const size_t count = params.size();
  for (size_t i = 0; i < count; ++i) args[i] = from_js(info[static_cast<int>(i)], params[i]);
  const Value result = slot.binding.function(slot.binding.data, args.data(), count);
  V8Instance& instance = *slot.instance;
  if (instance.exit_requested_) {
    instance.stopped_at_ = current_stack(info.GetIsolate());
    info.GetIsolate()->ThrowException(v8::Null(info.GetIsolate()));
    return;
  }
  if (slot.signature->results.empty()) return;
  if (slot.signature->results[0] == ValueType::kI32) {
    info.GetReturnValue().Set(static_cast<int32_t>(result));
  } else {
    info.GetReturnValue().Set(to_js(info.GetIsolate(), result, slot.signature->results[0]));
  }
}

v8::Local<v8::Object> V8Instance::make_imports(v8::Local<v8::Context> context,
                                               std::span<const Binding> imports) {
  const v8::Local<v8::Object> root = v8::Object::New(isolate_);
  const auto& infos = module_->imports();
  slots_.reserve(infos.size());  // V8 keeps pointers to the slots
  for (size_t i = 0; i < infos.size(); ++i) {
    slots_.push_back(Slot{this, imports[i], &infos[i].signature});
    const v8::Local<v8::String> module = text(isolate_, infos[i].module);
    v8::Local<v8::Value> space;
    if (!root->Get(context, module).ToLocal(&space) || !space->IsObject()) {
      space = v8::Object::New(isolate_);
      root->Set(context, module, space).Check();
    }
    const v8::Local<v8::FunctionTemplate> made = v8::FunctionTemplate::New(
        isolate_, &V8Instance::on_host_call, v8::External::New(isolate_, &slots_.back()),
        v8::Local<v8::Signature>(), 0, v8::ConstructorBehavior::kThrow);
    space.As<v8::Object>()
        ->Set(context, text(isolate_, infos[i].name), made->GetFunction(context).ToLocalChecked())
        .Check();
  }
  return root;
}

Result<void> V8Instance::instantiate(std::span<const Binding> imports) {
  for (const ImportInfo& each : module_->imports())
    if (each.signature.params.size() > kMaxArgs || each.signature.results.size() > 1)
      return fail(Code::kConfig, Side::kLocal, "import " + each.name + " has too many values");
  const v8::Isolate::Scope isolate_scope(isolate_);
  const v8::HandleScope handles(isolate_);
  const v8::Local<v8::Context> context = v8::Context::New(isolate_);
  context_.Reset(isolate_, context);
  const v8::Context::Scope context_scope(context);
  v8::TryCatch caught(isolate_);
  v8::Local<v8::WasmModuleObject> module;
  if (!v8::WasmModuleObject::FromCompiledModule(isolate_, module_->compiled()).ToLocal(&module))
    return fail(Code::kInternal, Side::kLocal, "the compiled module was refused");
  v8::Local<v8::Object> instance;
  const bool made =
      make_instance(context, module, make_imports(context, imports)).ToLocal(&instance);
  // When a start section traps, V8's constructor returns its bare receiver and leaves the exception for the next step.
  if (!made || caught.HasCaught() || !read_exports(context, instance)) {
    const CallEnd end = classify(caught, context);
    return fail(Code::kGuestFault, Side::kLocal,
                end == CallEnd::kTerminated ? "it ran out of time" : last_trap_);
  }
  return {};
}

v8::MaybeLocal<v8::Object> V8Instance::make_instance(v8::Local<v8::Context> context,
                                                     v8::Local<v8::WasmModuleObject> module,
                                                     v8::Local<v8::Object> imports) {
  v8::Local<v8::Value> space, maker, instance;
  const bool found =
      context->Global()->Get(context, text(isolate_, "WebAssembly")).ToLocal(&space) &&
      space.As<v8::Object>()->Get(context, text(isolate_, "Instance")).ToLocal(&maker);
  if (!found) return {};
  v8::Local<v8::Value> args[] = {module, imports};
  ++depth_;
  const bool made = maker.As<v8::Object>()->CallAsConstructor(context, 2, args).ToLocal(&instance);
  --depth_;
  return made ? instance.As<v8::Object>() : v8::MaybeLocal<v8::Object>();
}

bool V8Instance::read_exports(v8::Local<v8::Context> context, v8::Local<v8::Object> instance) {
  v8::Local<v8::Value> exports, value;
  if (!instance->Get(context, text(isolate_, "exports")).ToLocal(&exports) || !exports->IsObject())
    return false;
  for (const ExportInfo& each : module_->exports()) {
    if (!exports.As<v8::Object>()->Get(context, text(isolate_, each.name)).ToLocal(&value))
      return false;
    if (each.kind == ImportInfo::Kind::kFunction && value->IsFunction() &&
        each.signature.results.size() <= 1 && each.signature.params.size() <= kMaxExportArgs) {
      exports_.push_back(
          Export{v8::Global<v8::Function>(isolate_, value.As<v8::Function>()), &each.signature});
      export_names_.emplace_back(each.name);
    } else if (each.kind == ImportInfo::Kind::kMemory && memory_object_.IsEmpty()) {
      memory_object_.Reset(isolate_, value.As<v8::WasmMemoryObject>());
      use_memory(value.As<v8::WasmMemoryObject>()->Buffer());
    }
  }
  return true;
}

FunctionHandle V8Instance::find_function(std::string_view name) const {
  for (size_t i = 0; i < export_names_.size(); ++i)
    if (export_names_[i] == name) return static_cast<FunctionHandle>(i);
  return kNoFunction;
}

Result<FunctionHandle> V8Instance::join(std::span<const JointStep> steps) {
  const v8::Isolate::Scope isolate_scope(isolate_);
  const v8::HandleScope handles(isolate_);
  const v8::Local<v8::Context> context = context_.Get(isolate_);
  const v8::Context::Scope context_scope(context);
  v8::TryCatch caught(isolate_);
  std::vector<const Signature*> signatures;
  const v8::Local<v8::Object> space = v8::Object::New(isolate_);
  for (const JointStep& step : steps) {
    const Export& each = exports_.at(step.function);
    const auto at = static_cast<uint32_t>(signatures.size());
    if (space->Set(context, at, each.function.Get(isolate_)).IsNothing()) break;
    signatures.push_back(each.signature);
  }
  const v8::Local<v8::Object> imports = v8::Object::New(isolate_);
  imports->Set(context, text(isolate_, kJointSpace), space).Check();
  auto signature = std::make_unique<Signature>();
  const std::string bytes = joint_module(steps, signatures, *signature);
  v8::Local<v8::WasmModuleObject> module;
  v8::Local<v8::Object> instance;
  v8::Local<v8::Value> exports, function, step;
  // Equal modules of other isolates share their code: V8 finds it by the bytes.
  const bool made =
      v8::WasmModuleObject::Compile(isolate_,
                                    {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})
          .ToLocal(&module) &&
      make_instance(context, module, imports).ToLocal(&instance) &&
      instance->Get(context, text(isolate_, "exports")).ToLocal(&exports) &&
      exports.As<v8::Object>()->Get(context, text(isolate_, kJointCall)).ToLocal(&function) &&
      exports.As<v8::Object>()->Get(context, text(isolate_, kJointStep)).ToLocal(&step);
  if (!made || !function->IsFunction() || !step->IsObject())
    return fail(Code::kInternal, Side::kLocal, "the joint call was refused by the engine");
  exports_.push_back(
      Export{v8::Global<v8::Function>(isolate_, function.As<v8::Function>()), signature.get()});
  joints_.push_back(
      Joint{std::move(signature), v8::Global<v8::Object>(isolate_, step.As<v8::Object>())});
  return static_cast<FunctionHandle>(exports_.size() - 1);
}

unsigned V8Instance::step_of(FunctionHandle joint) noexcept {
  if (joint < export_names_.size() || joint >= exports_.size()) return 0;
  enter();
  const v8::HandleScope handles(isolate_);
  const v8::TryCatch caught(isolate_);
  const v8::Local<v8::Context> context = strong(context_);
  v8::Local<v8::Value> value;
  const bool read = joints_[joint - export_names_.size()]
                        .step.Get(isolate_)
                        ->Get(context, text(isolate_, "value"))
                        .ToLocal(&value);
  return read ? static_cast<unsigned>(from_js(value, ValueType::kI32)) : 0;
}

CallEnd V8Instance::classify(const v8::TryCatch& caught, v8::Local<v8::Context> context) noexcept {
  if (exit_requested_) {
    exit_requested_ = false;
    last_trap_ = "the guest exited" + std::exchange(stopped_at_, {});
    return CallEnd::kExit;
  }
  if (caught.HasTerminated()) {
    isolate_->CancelTerminateExecution();
    last_trap_ = (out_of_memory_ ? kHeapIsFull : "interrupted") + std::exchange(stopped_at_, {});
    return out_of_memory_ ? CallEnd::kTrap : CallEnd::kTerminated;
  }
  v8::Local<v8::Value> stack;
  const v8::Local<v8::Value> exception = caught.Exception();
  if (!exception.IsEmpty() && exception->IsObject() &&
      exception.As<v8::Object>()->Get(context, text(isolate_, "stack")).ToLocal(&stack) &&
      stack->IsString()) {
    last_trap_ = to_text(isolate_, stack);
  } else {
    last_trap_ = exception.IsEmpty() ? "unknown trap" : to_text(isolate_, exception);
  }
  return CallEnd::kTrap;
}

CallResult V8Instance::invoke(Export& target, std::span<const Value> args) noexcept {
  const v8::Local<v8::Context> context = strong(context_);
  std::array<v8::Local<v8::Value>, kMaxExportArgs> js;
  std::array<v8::internal::Address, kMaxExportArgs> places;
  const auto& params = target.signature->params;
  for (size_t i = 0; i < params.size(); ++i) {
    const Value value = i < args.size() ? args[i] : 0;
    js[i] = params[i] == ValueType::kI32 ? small_handle(static_cast<int32_t>(value), places[i])
                                         : to_js(isolate_, value, params[i]);
  }
  v8::TryCatch caught(isolate_);
  v8::Local<v8::Value> result;
  const bool returned =
      strong(target.function)
          ->Call(context, v8::Undefined(isolate_), static_cast<int>(params.size()), js.data())
          .ToLocal(&result);
  if (!returned) return CallResult{classify(caught, context), 0};
  if (target.signature->results.empty()) return CallResult{};
  return CallResult{CallEnd::kOk, from_js(result, target.signature->results[0])};
}

CallResult V8Instance::call(FunctionHandle function, std::span<const Value> args) noexcept {
  if (function >= exports_.size()) return CallResult{CallEnd::kTrap, 0};
  Export& target = exports_[function];
  if (depth_ > 0) {  // the allocator inside a host call: the isolate and the context are entered
    ++depth_;
    const CallResult nested = invoke(target, args);
    --depth_;
    return nested;
  }
  enter();
  ++depth_;
  CallResult outcome = invoke(target, args);
  --depth_;
  if (out_of_memory_ && outcome.end == CallEnd::kOk) [[unlikely]] {
    // It returned before it could be ended; the next call must not be ended in its place.
    isolate_->CancelTerminateExecution();
    last_trap_ = kHeapIsFull;
    outcome = CallResult{CallEnd::kTrap, 0};
  }
  if (growth_ == MemoryGrowth::kMayMove) watch_memory();
  if (++calls_ % kTidyEvery == 0) tidy();
  return outcome;
}

void V8Instance::tidy() noexcept {
  handles_.reset();
  handles_.emplace(isolate_);
  if (calls_ % kPumpEvery != 0) return;
  while (v8::platform::PumpMessageLoop(&platform_, isolate_)) {
  }
}

void V8Instance::watch_memory() noexcept {
  if (memory_object_.IsEmpty()) return;
  const v8::HandleScope handles(isolate_);
  const v8::Local<v8::ArrayBuffer> buffer = memory_object_.Get(isolate_)->Buffer();
  if (buffer->ByteLength() != memory_->ByteLength()) use_memory(buffer);
}

void V8Instance::use_memory(v8::Local<v8::ArrayBuffer> memory) noexcept {
  memory_ = memory->GetBackingStore();
  memory_start_ = static_cast<uint8_t*>(memory_->Data());
}

std::span<uint8_t> V8Instance::memory() noexcept {
  if (!memory_) return {};
  return {memory_start_, memory_->ByteLength()};
}

void V8Instance::trim() noexcept {
  leave();
  const v8::Isolate::Scope isolate_scope(isolate_);
  isolate_->LowMemoryNotification();
}

size_t V8Instance::heap_bytes() noexcept {
  v8::HeapStatistics statistics;
  isolate_->GetHeapStatistics(&statistics);
  return statistics.total_physical_size();
}

}  // namespace weir::wasm::v8engine
