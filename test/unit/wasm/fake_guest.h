// A guest made of C++: what runs in its callbacks is a function of the test, which calls the host's own functions.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "event/loop.h"
#include "stats/store.h"
#include "unit/filters/fake_view.h"
#include "wasm/import_table.h"
#include "wasm/vm.h"

namespace weir::wasm {

class FakeModule final : public Module {
 public:
  const std::vector<ImportInfo>& imports() const noexcept override { return imports_; }
  const std::vector<ExportInfo>& exports() const noexcept override { return exports_; }
  size_t code_bytes() const noexcept override { return 0; }

  FakeModule& import(std::string module, std::string name, std::string_view params,
                     ImportInfo::Kind kind = ImportInfo::Kind::kFunction) {
    imports_.push_back({std::move(module), std::move(name), kind, signature(params)});
    return *this;
  }
  FakeModule& memory() {
    exports_.push_back({"memory", ImportInfo::Kind::kMemory, {}});
    return *this;
  }
  FakeModule& function(std::string name, std::string_view params) {
    exports_.push_back({std::move(name), ImportInfo::Kind::kFunction, signature(params)});
    return *this;
  }

 private:
  /// i = i32, I = i64, f = f32, F = f64; what stands behind '>' is a result.
  static Signature signature(std::string_view params) {
    Signature out;
    bool result = false;
    for (const char c : params) {
      if (c == '>') {
        result = true;
        continue;
      }
      (result ? out.results : out.params)
          .push_back(c == 'i'   ? ValueType::kI32
                     : c == 'I' ? ValueType::kI64
                     : c == 'f' ? ValueType::kF32
                                : ValueType::kF64);
    }
    return out;
  }
  std::vector<ImportInfo> imports_;
  std::vector<ExportInfo> exports_;
};

class FakeInstance final : public Instance {
 public:
  using Code = std::function<CallResult(std::string_view function, std::span<const Value> args)>;
  FakeInstance() = default;
  FakeInstance(const FakeModule& module, Code code) : module_(&module), code_(std::move(code)) {}

  void adopt_on_this_thread() override {}
  void release_from_this_thread() override {}
  void empty() noexcept override {}
  Result<void> instantiate(std::span<const Binding>) override { return {}; }
  FunctionHandle find_function(std::string_view name) const override {
    const auto& exports = module_->exports();
    for (size_t i = 0; i < exports.size(); ++i)
      if (exports[i].name == name) return static_cast<FunctionHandle>(i);
    return kNoFunction;
  }
  CallResult call(FunctionHandle function, std::span<const Value> args) noexcept override {
    return code_(module_->exports()[function].name, args);
  }
  Result<FunctionHandle> join(std::span<const JointStep>) override { return kNoFunction; }
  unsigned step_of(FunctionHandle) noexcept override { return 0; }
  std::span<uint8_t> memory() noexcept override { return bytes; }
  const std::string& last_trap() const noexcept override { return trap; }
  void request_exit() noexcept override {}
  void terminate(uint64_t sequence) noexcept override {
    if (on_terminate) on_terminate(sequence);
  }
  void set_sequence(uint64_t) noexcept override {}
  bool out_of_memory() const noexcept override { return heap_is_full; }
  size_t heap_bytes() noexcept override { return 0; }
  void trim() noexcept override {}

  std::vector<uint8_t> bytes = std::vector<uint8_t>(64 * 1024);
  std::function<void(uint64_t)> on_terminate;  // on the watchdog's thread
  std::string trap = "trap";
  bool heap_is_full = false;

 private:
  const FakeModule* module_ = nullptr;
  Code code_;
};

class FakeIsolate final : public Isolate {
 public:
  bool crowded() const noexcept override { return false; }
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(FakeInstance::Code code) : code_(std::move(code)) {}
  std::string_view name() const noexcept override { return "fake"; }
  std::string version() const override { return "1"; }
  Result<std::shared_ptr<const Module>> compile(std::string_view, const EngineLimits&) override {
    return fail(Code::kConfig, Side::kLocal, "not here");
  }
  std::shared_ptr<Isolate> make_isolate(const EngineLimits&) override {
    return std::make_shared<FakeIsolate>();
  }
  Result<std::unique_ptr<Instance>> make_instance(std::shared_ptr<const Module> module,
                                                  std::shared_ptr<Isolate>) override {
    return std::make_unique<FakeInstance>(static_cast<const FakeModule&>(*module), code_);
  }

 private:
  FakeInstance::Code code_;
};

/// A VM with one plugin on a worker of one thread, the test's.
class FakeGuest final : public VmOwner, public QueueListener {
 public:
  struct Stream final : StreamContext {
    void apply_effects() override {}
    void on_vm_gone() override {}
    void on_wait_over() override {}
  };

  explicit FakeGuest(Plugin plugin = {}, NodeInfo node = {}, Vm::Role role = Vm::Role::kWorker)
      : engine_([this](std::string_view, std::span<const Value>) {
          if (code_) code_();
          return CallResult{.end = result, .value = 1};
        }) {
    module_->memory()
        .function("proxy_abi_version_0_2_1", "")
        .function("malloc", "i>i")
        .function("proxy_on_request_headers", "iii>i")
        .function("proxy_on_redis_call_response", "iiii")
        .function("proxy_on_tick", "i");
    plugin.seal();
    auto group = std::make_shared<VmGroup>();
    group->plugins.push_back(std::make_shared<const Plugin>(std::move(plugin)));
    group->node = std::make_shared<const NodeProperty>(std::move(node));
    group->engine = &engine_;
    group->module = module_;
    vm = std::make_unique<Vm>(group, services, role, 0);
    if (vm->start(services.watchdog.cell(0), nullptr)) std::abort();
    vm->adopt(*this);
    stream.root = vm->roots().front().get();
  }
  ~FakeGuest() override {
    if (stream.id != 0) vm->leave_stream(stream);
    vm->release();
  }

  /// `code` is what the guest does in a callback of the stream, or of its root.
  void in_stream(std::function<void()> code) {
    if (stream.id == 0) {
      stream.callbacks = &callbacks;
      vm->enter_stream(stream);
      vm->add_context(stream);
    }
    run(stream, vm->exports().request_headers, std::move(code));
  }
  void in_root(std::function<void()> code) {
    run(*vm->roots().front(), vm->exports().tick, std::move(code));
  }
  /// What the guest does in the callback that comes next by itself.
  void then(std::function<void()> code) { code_ = std::move(code); }

  void on_vm_failed(Vm&) override {}
  void on_vm_work(Vm&) override {}
  void on_vm_idle(Vm&) override {}
  void on_vm_worn(Vm&) override {}
  event::Loop& loop() override { return loop_; }
  Callouts& callouts() override {
    if (callout_client == nullptr) std::abort();
    return *callout_client;
  }
  WatchCell& watch_cell() override { return services.watchdog.cell(0); }
  QueueListener& queue_listener() override { return *this; }
  void on_queue_item(uint64_t, uint32_t, uint32_t) override {}

  stats::Store store{1};
  Services services{store, 1};
  filters::test::FakeStream callbacks;
  Stream stream;
  CallEnd result = CallEnd::kOk;
  Callouts* callout_client = nullptr;  // of the test

 private:
  void run(Context& context, const ExportFunction& function, std::function<void()> code) {
    code_ = std::move(code);
    const Value args[] = {context.id, 0, 0};
    vm->call(context, function, args);
    code_ = nullptr;
  }

  event::Loop loop_;
  std::function<void()> code_;
  FakeEngine engine_;
  std::shared_ptr<FakeModule> module_ = std::make_shared<FakeModule>();

 public:
  std::unique_ptr<Vm> vm;
};

}  // namespace weir::wasm
