// One guest call and one host call through the engine module, without the ABI above it.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "wasm/engine.h"

namespace weir::wasm {
namespace {

/* The module, from this text by wat2wasm:
(module
  (import "env" "host" (func $host (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "guest") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "many_host_calls") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $host (local.get $n) (i32.const 7))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    local.get $sum)
)
*/
constexpr unsigned char kModule[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x02, 0x60, 0x02, 0x7f, 0x7f, 0x01,
    0x7f, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x02, 0x0c, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x04, 0x68, 0x6f,
    0x73, 0x74, 0x00, 0x00, 0x03, 0x03, 0x02, 0x00, 0x01, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x24,
    0x03, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x05, 0x67, 0x75, 0x65, 0x73, 0x74,
    0x00, 0x01, 0x0f, 0x6d, 0x61, 0x6e, 0x79, 0x5f, 0x68, 0x6f, 0x73, 0x74, 0x5f, 0x63, 0x61, 0x6c,
    0x6c, 0x73, 0x00, 0x02, 0x0a, 0x27, 0x02, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x6a, 0x0b, 0x1d,
    0x01, 0x01, 0x7f, 0x03, 0x40, 0x20, 0x01, 0x20, 0x00, 0x41, 0x07, 0x10, 0x00, 0x6a, 0x21, 0x01,
    0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b, 0x20, 0x01, 0x0b,
};

/// The module, instantiated on this thread.
class Guest {
 public:
  /// Null, with the reason in `why`, where there is no engine.
  static std::unique_ptr<Guest> make(std::string& why, const Guest* neighbour = nullptr) {
    auto engine = load_engine("v8");
    if (!engine) return why = engine.error().detail, nullptr;
    const std::string_view bytes(reinterpret_cast<const char*>(kModule), sizeof kModule);
    auto module = (*engine)->compile(bytes, {});
    if (!module) return why = module.error().detail, nullptr;
    auto guest = std::unique_ptr<Guest>(new Guest);
    guest->isolate_ = neighbour != nullptr ? neighbour->isolate_ : (*engine)->make_isolate({});
    auto instance = (*engine)->make_instance(*module, guest->isolate_);
    if (!instance) return why = instance.error().detail, nullptr;
    guest->instance_ = std::move(*instance);
    guest->instance_->adopt_on_this_thread();
    const std::array<Binding, 1> imports = {Binding{&host, nullptr}};
    if (auto made = guest->instance_->instantiate(imports); !made)
      return why = made.error().detail, nullptr;
    return guest;
  }

  FunctionHandle find(std::string_view name) const { return instance_->find_function(name); }
  CallResult call(FunctionHandle function, std::span<const Value> args) {
    instance_->set_sequence(++sequence_);
    return instance_->call(function, args);
  }

 private:
  Guest() = default;
  static Value host(void*, const Value* args, size_t) noexcept { return args[0] + args[1]; }

  std::shared_ptr<Isolate> isolate_;
  std::unique_ptr<Instance> instance_;
  uint64_t sequence_ = 0;
};

void BM_GuestCall(benchmark::State& state) {
  std::string why;
  const std::unique_ptr<Guest> guest = Guest::make(why);
  if (!guest) return state.SkipWithError(why.c_str());
  const FunctionHandle function = guest->find("guest");
  const std::array<Value, 2> args = {1, 2};
  for (auto _ : state) {
    if (guest->call(function, args).value != 3) state.SkipWithError("wrong sum");
  }
}
BENCHMARK(BM_GuestCall);

// Two guests by turns: in one isolate, as plugins of one edit, and in two.
void BM_GuestCallAlternating(benchmark::State& state) {
  std::string why;
  const std::unique_ptr<Guest> one = Guest::make(why);
  const std::unique_ptr<Guest> two = Guest::make(why, state.range(0) == 1 ? one.get() : nullptr);
  if (!one || !two) return state.SkipWithError(why.c_str());
  const FunctionHandle function = one->find("guest");
  const std::array<Value, 2> args = {1, 2};
  for (auto _ : state) {
    benchmark::DoNotOptimize(one->call(function, args));
    benchmark::DoNotOptimize(two->call(function, args));
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(BM_GuestCallAlternating)->ArgName("isolates")->Arg(1)->Arg(2);

// The time of one iteration is that of 1000 host calls; "per_call" divides it.
void BM_HostCall(benchmark::State& state) {
  std::string why;
  const std::unique_ptr<Guest> guest = Guest::make(why);
  if (!guest) return state.SkipWithError(why.c_str());
  const FunctionHandle function = guest->find("many_host_calls");
  const std::array<Value, 1> args = {1000};
  for (auto _ : state) benchmark::DoNotOptimize(guest->call(function, args));
  state.counters["per_call"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 1000,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_HostCall);

}  // namespace
}  // namespace weir::wasm
