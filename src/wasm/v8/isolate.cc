#include "wasm/v8/isolate.h"

#include <sys/mman.h>

#include <utility>

#include "wasm/v8/instance.h"

namespace weir::wasm::v8engine {
namespace {

constexpr size_t kHeapGrace =
    16 * 1024 * 1024;                  // heap that V8 may still use to unwind after the limit
constexpr unsigned kPumpEvery = 4096;  // calls between looks at V8's foreground tasks

}  // namespace

constinit thread_local V8Isolate* V8Isolate::entered = nullptr;

V8Isolate::V8Isolate(v8::Platform& platform, const EngineLimits& limits)
    : platform_(platform),
      max_heap_bytes_(limits.max_heap_bytes),
      allocator_(v8::ArrayBuffer::Allocator::NewDefaultAllocator()) {
  v8::Isolate::CreateParams params;
  params.array_buffer_allocator = allocator_.get();
  params.constraints.set_max_old_generation_size_in_bytes(limits.max_heap_bytes);
  params.constraints.set_max_young_generation_size_in_bytes(1024 * 1024);
  isolate_ = v8::Isolate::Allocate();
  v8::Isolate::Initialize(isolate_, params);
  isolate_->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
  isolate_->AddNearHeapLimitCallback(&V8Isolate::on_heap_limit, this);
  isolate_->AutomaticallyRestoreInitialHeapLimit();
  const v8::Locker locker(isolate_);
  const v8::Isolate::Scope isolate_scope(isolate_);
  const v8::HandleScope handles(isolate_);
  context_.Reset(isolate_, v8::Context::New(isolate_));
}

V8Isolate::~V8Isolate() {
  {
    const v8::Locker locker(isolate_);
    const v8::Isolate::Scope isolate_scope(isolate_);
    isolate_->RemoveNearHeapLimitCallback(&V8Isolate::on_heap_limit, 0);
    context_.Reset();
  }
  isolate_->Dispose();
}

void V8Isolate::adopt() {
  if (users_++ == 0) locker_ = std::make_unique<v8::Locker>(isolate_);
}

void V8Isolate::release() {
  if (--users_ > 0) return;
  close();
  locker_.reset();
}

// ---- entering and leaving ---------------------------------------------------------------------------

void V8Isolate::enter_anew() noexcept {
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

void V8Isolate::open() noexcept {
  handles_.emplace(isolate_);
  context()->Enter();
}

void V8Isolate::close() noexcept {
  if (!handles_) return;
  enter();
  context()->Exit();
  handles_.reset();
  leave();
}

void V8Isolate::leave_top() noexcept {
  isolate_->Exit();
  entered_ = false;
  entered = std::exchange(below_, nullptr);
}

void V8Isolate::leave() noexcept {
  while (entered_) entered->leave_top();
}

// ---- limits -----------------------------------------------------------------------------------------

/// Without a callback that gives room V8 aborts the process.
size_t V8Isolate::on_heap_limit(void* self, size_t current, size_t initial) noexcept {
  auto& isolate = *static_cast<V8Isolate*>(self);
  // The guest that runs need not be the one that has filled it. V8 returns to the first limit when half of it is free again.
  if (isolate.instances_ > 1 && current <= initial) {
    isolate.crowded_ = true;
    return current + isolate.max_heap_bytes_;
  }
  if (isolate.running_ != nullptr) isolate.running_->on_heap_full();
  return current + kHeapGrace;
}

void V8Isolate::terminate(uint64_t sequence) noexcept {
  terminate_sequence_.store(sequence, std::memory_order_relaxed);
  isolate_->RequestInterrupt(&V8Isolate::on_interrupt, this);
}

void V8Isolate::on_interrupt(v8::Isolate*, void* self) noexcept {
  // Runs on the guest's own thread, maybe in a later call than the one that was meant.
  auto& isolate = *static_cast<V8Isolate*>(self);
  const uint64_t meant = isolate.terminate_sequence_.load(std::memory_order_relaxed);
  if (isolate.running_ == nullptr || meant != isolate.sequence_.load(std::memory_order_relaxed))
    return;
  isolate.running_->on_time_over();
}

// ---- what is left behind ----------------------------------------------------------------------------

void V8Isolate::remove(std::span<uint8_t> memory) noexcept {
  if (--instances_ == 0) return;
  remains_ = true;
  // It may be large, and where no calls come nothing is collected.
  if (!memory.empty()) madvise(memory.data(), memory.size(), MADV_DONTNEED);
}

void V8Isolate::collect_remains() noexcept {
  handles_.reset();
  handles_.emplace(isolate_);
  if (std::exchange(remains_, false)) {
    // The collector works in tasks then: about a millisecond in all, a third of what a whole collection takes.
    isolate_->MemoryPressureNotification(v8::MemoryPressureLevel::kModerate);
  } else if (calls_ % kPumpEvery != 0) {
    return;
  }
  while (v8::platform::PumpMessageLoop(&platform_, isolate_)) {
  }
}

void V8Isolate::trim() noexcept {
  leave();
  const v8::Isolate::Scope isolate_scope(isolate_);
  isolate_->LowMemoryNotification();
}

size_t V8Isolate::heap_bytes() noexcept {
  v8::HeapStatistics statistics;
  isolate_->GetHeapStatistics(&statistics);
  return statistics.total_physical_size();
}

}  // namespace weir::wasm::v8engine
