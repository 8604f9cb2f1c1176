#include "wasm/v8/instance.h"

#include <algorithm>
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
constexpr const char* kHeapIsFull = "the engine's heap limit is reached";

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

/// For names that a module has chosen: `__proto__` is one like any other where there is nothing to inherit.
v8::Local<v8::Object> bare_object(v8::Isolate* isolate) {
  return v8::Object::New(isolate, v8::Null(isolate), nullptr, nullptr, 0);
}

std::string to_text(v8::Isolate* isolate, v8::Local<v8::Value> value) {
  const v8::String::Utf8Value utf8(isolate, value);
  if (*utf8 == nullptr) return "unknown error";
  return clipped(std::string(*utf8, static_cast<size_t>(utf8.length())));
}

}  // namespace

V8Instance::V8Instance(std::shared_ptr<const V8Module> module, std::shared_ptr<V8Isolate> isolate,
                       MemoryGrowth growth)
    : isolate_(std::move(isolate)), growth_(growth), module_(std::move(module)) {
  heap_before_ = isolate_->add() ? 0 : isolate_->heap_bytes();
}

V8Instance::~V8Instance() {
  if (!empty_) {
    adopt_on_this_thread();
    empty();
  }
  release_from_this_thread();
}

void V8Instance::adopt_on_this_thread() {
  if (!std::exchange(adopted_, true)) isolate_->adopt();
}

void V8Instance::release_from_this_thread() {
  if (std::exchange(adopted_, false)) isolate_->release();
}

void V8Instance::empty() noexcept {
  if (std::exchange(empty_, true)) return;
  isolate_->enter();
  const std::span<uint8_t> memory = V8Instance::memory();
  exports_.clear();
  joints_.clear();
  memory_object_.Reset();
  isolate_->remove(memory);
  memory_start_ = nullptr;
  memory_.reset();
}

void V8Instance::on_heap_full() noexcept {
  // It has no stack to show: the collector runs here, and an interrupt would come too late.
  out_of_memory_ = ending_ = true;
  v8_isolate()->TerminateExecution();
}

void V8Instance::on_time_over() noexcept {
  stopped_at_ = module_->annotate(current_stack(v8_isolate()));
  ending_ = true;
  v8_isolate()->TerminateExecution();
}

/// V8 acts upon it at its next look, which may come after the guest's own end. The next call, maybe a neighbour's, must not be ended
/// in its place.
CallEnd V8Instance::end_of_termination(CallEnd end) noexcept {
  ending_ = false;
  v8_isolate()->CancelTerminateExecution();
  if (end != CallEnd::kOk) return end;
  last_trap_ = (out_of_memory_ ? kHeapIsFull : "interrupted") + std::exchange(stopped_at_, {});
  return out_of_memory_ ? CallEnd::kTrap : CallEnd::kTerminated;
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
    instance.stopped_at_ = instance.module_->annotate(current_stack(info.GetIsolate()));
    // What is thrown ends the guest here, but it may catch that; then the next look at interrupts ends it.
    instance.ending_ = true;
    info.GetIsolate()->TerminateExecution();
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

v8::Local<v8::Object> V8Instance::make_imports(std::span<const Binding> imports) {
  v8::Isolate* const isolate = v8_isolate();
  const v8::Local<v8::Context> context = isolate_->context();
  const v8::Local<v8::Object> root = bare_object(isolate);
  const auto& infos = module_->imports();
  slots_.reserve(infos.size());  // V8 keeps pointers to the slots
  for (size_t i = 0; i < infos.size(); ++i) {
    slots_.push_back(Slot{this, imports[i], &infos[i].signature});
    const v8::Local<v8::String> module = text(isolate, infos[i].module);
    v8::Local<v8::Value> space;
    if (!root->Get(context, module).ToLocal(&space) || !space->IsObject()) {
      space = bare_object(isolate);
      root->CreateDataProperty(context, module.As<v8::Name>(), space).Check();
    }
    // Not from a template: the context keeps what those make.
    const v8::Local<v8::Function> made =
        v8::Function::New(context, &V8Instance::on_host_call,
                          v8::External::New(isolate, &slots_.back()), 0,
                          v8::ConstructorBehavior::kThrow)
            .ToLocalChecked();
    space.As<v8::Object>()
        ->CreateDataProperty(context, text(isolate, infos[i].name).As<v8::Name>(), made)
        .Check();
  }
  return root;
}

Result<void> V8Instance::instantiate(std::span<const Binding> imports) {
  for (const ImportInfo& each : module_->imports())
    if (each.signature.params.size() > kMaxArgs || each.signature.results.size() > 1)
      return fail(Code::kConfig, Side::kLocal, "import " + each.name + " has too many values");
  isolate_->enter();
  v8::Isolate* const isolate = v8_isolate();
  const v8::HandleScope handles(isolate);
  v8::TryCatch caught(isolate);
  v8::Local<v8::WasmModuleObject> module;
  if (!v8::WasmModuleObject::FromCompiledModule(isolate, module_->compiled()).ToLocal(&module))
    return fail(Code::kInternal, Side::kLocal, "the compiled module was refused");
  v8::Local<v8::Object> instance;
  const bool made = make_instance(module, make_imports(imports)).ToLocal(&instance);
  // When a start section traps, V8's constructor returns its bare receiver and leaves the exception for the next step.
  const bool started = made && !caught.HasCaught() && read_exports(instance);
  CallEnd end = started ? CallEnd::kOk : classify(caught);
  if (ending_) end = end_of_termination(end);
  if (end == CallEnd::kOk) return {};
  return fail(Code::kGuestFault, Side::kLocal,
              end == CallEnd::kTerminated ? "it ran out of time" : last_trap_);
}

v8::MaybeLocal<v8::Object> V8Instance::make_instance(v8::Local<v8::WasmModuleObject> module,
                                                     v8::Local<v8::Object> imports) {
  const v8::Local<v8::Context> context = isolate_->context();
  v8::Local<v8::Value> space, maker, instance;
  const bool found =
      context->Global()->Get(context, text(v8_isolate(), "WebAssembly")).ToLocal(&space) &&
      space.As<v8::Object>()->Get(context, text(v8_isolate(), "Instance")).ToLocal(&maker);
  if (!found) return {};
  v8::Local<v8::Value> args[] = {module, imports};
  isolate_->begin(*this);
  const bool made = maker.As<v8::Object>()->CallAsConstructor(context, 2, args).ToLocal(&instance);
  isolate_->end();
  return made ? instance.As<v8::Object>() : v8::MaybeLocal<v8::Object>();
}

bool V8Instance::read_exports(v8::Local<v8::Object> instance) {
  v8::Isolate* const isolate = v8_isolate();
  const v8::Local<v8::Context> context = isolate_->context();
  v8::Local<v8::Value> exports, value;
  if (!instance->Get(context, text(isolate, "exports")).ToLocal(&exports) || !exports->IsObject())
    return false;
  for (const ExportInfo& each : module_->exports()) {
    if (!exports.As<v8::Object>()->Get(context, text(isolate, each.name)).ToLocal(&value))
      return false;
    if (each.kind == ImportInfo::Kind::kFunction && value->IsFunction() &&
        each.signature.results.size() <= 1 && each.signature.params.size() <= kMaxExportArgs) {
      exports_.push_back(
          Export{v8::Global<v8::Function>(isolate, value.As<v8::Function>()), &each.signature});
      export_names_.emplace_back(each.name);
    } else if (each.kind == ImportInfo::Kind::kMemory && memory_object_.IsEmpty()) {
      memory_object_.Reset(isolate, value.As<v8::WasmMemoryObject>());
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
  isolate_->enter();
  set_sequence(0);  // nothing runs in it that may be late: an interrupt is of what ran before
  v8::Isolate* const isolate = v8_isolate();
  const v8::HandleScope handles(isolate);
  const v8::Local<v8::Context> context = isolate_->context();
  v8::TryCatch caught(isolate);
  std::vector<const Signature*> signatures;
  const v8::Local<v8::Object> space = bare_object(isolate);
  for (const JointStep& step : steps) {
    const Export& each = exports_.at(step.function);
    const auto at = static_cast<uint32_t>(signatures.size());
    if (space->Set(context, at, each.function.Get(isolate)).IsNothing()) break;
    signatures.push_back(each.signature);
  }
  const v8::Local<v8::Object> imports = bare_object(isolate);
  imports->Set(context, text(isolate, kJointSpace), space).Check();
  auto signature = std::make_unique<Signature>();
  const std::string bytes = joint_module(steps, signatures, *signature);
  v8::Local<v8::WasmModuleObject> module;
  v8::Local<v8::Object> instance;
  v8::Local<v8::Value> exports, function, step;
  // Equal modules of other isolates share their code: V8 finds it by the bytes.
  const bool made =
      v8::WasmModuleObject::Compile(isolate,
                                    {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})
          .ToLocal(&module) &&
      make_instance(module, imports).ToLocal(&instance) &&
      instance->Get(context, text(isolate, "exports")).ToLocal(&exports) &&
      exports.As<v8::Object>()->Get(context, text(isolate, kJointCall)).ToLocal(&function) &&
      exports.As<v8::Object>()->Get(context, text(isolate, kJointStep)).ToLocal(&step);
  const bool ended = ending_ && end_of_termination(CallEnd::kOk) != CallEnd::kOk;
  if (!made || ended || !function->IsFunction() || !step->IsObject())
    return fail(Code::kInternal, Side::kLocal,
                ended ? kHeapIsFull : "the joint call was refused by the engine");
  exports_.push_back(
      Export{v8::Global<v8::Function>(isolate, function.As<v8::Function>()), signature.get()});
  joints_.push_back(
      Joint{std::move(signature), v8::Global<v8::Object>(isolate, step.As<v8::Object>())});
  return static_cast<FunctionHandle>(exports_.size() - 1);
}

unsigned V8Instance::step_of(FunctionHandle joint) noexcept {
  if (joint < export_names_.size() || joint >= exports_.size()) return 0;
  isolate_->enter();
  v8::Isolate* const isolate = v8_isolate();
  const v8::HandleScope handles(isolate);
  const v8::TryCatch caught(isolate);
  v8::Local<v8::Value> value;
  const bool read = joints_[joint - export_names_.size()]
                        .step.Get(isolate)
                        ->Get(isolate_->context(), text(isolate, "value"))
                        .ToLocal(&value);
  return read ? static_cast<unsigned>(from_js(value, ValueType::kI32)) : 0;
}

CallEnd V8Instance::classify(const v8::TryCatch& caught) noexcept {
  v8::Isolate* const isolate = v8_isolate();
  // Of a nested call too: the host function around it has to come to its end, and ends the guest anew (see on_host_call()).
  const bool terminated = caught.HasTerminated();
  if (ending_ || terminated) isolate->CancelTerminateExecution();
  if (exit_requested_) {
    exit_requested_ = false;
    last_trap_ = "the guest exited" + std::exchange(stopped_at_, {});
    return CallEnd::kExit;
  }
  if (terminated) {
    last_trap_ = (out_of_memory_ ? kHeapIsFull : "interrupted") + std::exchange(stopped_at_, {});
    return out_of_memory_ ? CallEnd::kTrap : CallEnd::kTerminated;
  }
  v8::Local<v8::Value> stack;
  const v8::Local<v8::Value> exception = caught.Exception();
  if (!exception.IsEmpty() && exception->IsObject() &&
      exception.As<v8::Object>()
          ->Get(isolate_->context(), text(isolate, "stack"))
          .ToLocal(&stack) &&
      stack->IsString()) {
    last_trap_ = module_->annotate(to_text(isolate, stack));
  } else {
    last_trap_ = exception.IsEmpty() ? "unknown trap" : to_text(isolate, exception);
  }
  return CallEnd::kTrap;
}

CallResult V8Instance::invoke(Export& target, std::span<const Value> args) noexcept {
  v8::Isolate* const isolate = v8_isolate();
  std::array<v8::Local<v8::Value>, kMaxExportArgs> js;
  std::array<v8::internal::Address, kMaxExportArgs> places;
  const auto& params = target.signature->params;
  for (size_t i = 0; i < params.size(); ++i) {
    const Value value = i < args.size() ? args[i] : 0;
    js[i] = params[i] == ValueType::kI32 ? small_handle(static_cast<int32_t>(value), places[i])
                                         : to_js(isolate, value, params[i]);
  }
  v8::TryCatch caught(isolate);
  v8::Local<v8::Value> result;
  const bool returned = strong(target.function)
                            ->Call(isolate_->context(), v8::Undefined(isolate),
                                   static_cast<int>(params.size()), js.data())
                            .ToLocal(&result);
  if (!returned) return CallResult{classify(caught)};
  if (target.signature->results.empty()) return CallResult{};
  return CallResult{.value = from_js(result, target.signature->results[0])};
}

CallResult V8Instance::call(FunctionHandle function, std::span<const Value> args) noexcept {
  if (function >= exports_.size()) return CallResult{CallEnd::kTrap};
  Export& target = exports_[function];
  V8Isolate& isolate = *isolate_;
  if (isolate.running()) return invoke(target, args);  // all of it is entered
  isolate.enter();
  isolate.begin(*this);
  CallResult outcome = invoke(target, args);
  isolate.end();
  if (ending_) [[unlikely]]
    outcome.end = end_of_termination(outcome.end);
  outcome.crowded = isolate.crowded();
  if (growth_ == MemoryGrowth::kMayMove) watch_memory();
  isolate.tidy();
  return outcome;
}

void V8Instance::watch_memory() noexcept {
  if (memory_object_.IsEmpty()) return;
  const v8::HandleScope handles(v8_isolate());
  const v8::Local<v8::ArrayBuffer> buffer = memory_object_.Get(v8_isolate())->Buffer();
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

size_t V8Instance::heap_bytes() noexcept {
  const size_t now = isolate_->heap_bytes();
  return now - std::min(now, heap_before_);
}

}  // namespace weir::wasm::v8engine
