#include "wasm/engine_thread.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "wasm/import_table.h"

namespace weir::wasm {
namespace {

constexpr int kNice = 5;

}  // namespace

EngineThread::EngineThread(Services& services, unsigned watch_cell, Host::EngineLoader loader)
    : services_(services), watch_cell_(watch_cell), loader_(loader), thread_([this] { run(); }) {}

EngineThread::~EngineThread() { stop(); }

void EngineThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EngineThread::enqueue(std::unique_ptr<EngineTask> task, bool urgent) {
  {
    const std::lock_guard lock(mutex_);
    (urgent ? urgent_ : tasks_).push_back(std::move(task));
  }
  changed_.notify_one();
}

void EngineThread::run() {
  base::set_thread_name("wasm_engine");
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // of this thread alone, on Linux
  services_.watchdog.attach(watch_cell_);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (urgent_.empty() && tasks_.empty()) {
      if (stopping_) break;
      changed_.wait(lock);
      continue;
    }
    // In turn where both wait: rebuilds without end must not hold up edits and the end of old VMs.
    overtakes_ = !urgent_.empty() && (tasks_.empty() || !overtakes_);
    auto& queue = overtakes_ ? urgent_ : tasks_;
    std::unique_ptr<EngineTask> task = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    task->run();
    task.reset();
    lock.lock();
  }
  lock.unlock();
  services_.watchdog.detach(watch_cell_);
}

Result<void> EngineThread::compile(VmGroup& group) {
  if (engine_ == nullptr) {
    WEIR_TRY(loaded, loader_("v8"));
    engine_ = loaded;
  }
  group.engine = engine_;
  group.engine_limits.max_memory_bytes = group.vm().limits.max_memory_bytes;
  auto& known = modules_[{group.vm().code_key, group.engine_limits.max_memory_bytes}];
  group.module = known.lock();
  if (!group.module) {
    WEIR_TRY(module, engine_->compile(*group.vm().code, group.engine_limits));
    services_.stats.compiled.inc();
    group.module = std::move(module);
    known = group.module;
  }
  const VmConfig& vm = group.vm();
  WEIR_TRY(imports,
           link_imports(*group.module, vm.capabilities, vm.unknown_imports, vm.host_functions));
  group.imports = std::move(imports);
  return {};
}

std::unique_ptr<Vm> EngineThread::build(const std::shared_ptr<const VmGroup>& group, Vm::Role role,
                                        unsigned worker, StartFailure& failure,
                                        std::shared_ptr<Isolate> isolate) {
  auto vm = std::make_unique<Vm>(group, services_, role, worker);
  if (!isolate) isolate = group->engine->make_isolate(group->engine_limits);
  auto failed = vm->start(services_.watchdog.cell(watch_cell_), std::move(isolate));
  if (!failed) return vm;
  failure = std::move(*failed);
  return nullptr;
}

void EngineThread::drop_unused_modules() {
  std::erase_if(modules_, [](const auto& each) { return each.second.expired(); });
}

}  // namespace weir::wasm
