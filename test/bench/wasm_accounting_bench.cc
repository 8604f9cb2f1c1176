// What it costs to count one guest call: to be compared with BM_GuestCall of wasm_calls_bench.
#include <benchmark/benchmark.h>

#include "wasm/function_stats.h"

namespace weir::wasm {
namespace {

void BM_CountCall(benchmark::State& state) {
  stats::Store store(1);
  FunctionStats functions(store, "wasm.p.function.", 1);
  const TimeBounds bounds;
  FunctionCell* cells = functions.cells(0);
  // A call that takes so many microseconds; six callbacks by turns, as a stream has them.
  const uint64_t time = bounds.ticks[0] * static_cast<uint64_t>(state.range(0));
  unsigned callback = 0;
  for (auto _ : state) {
    cells[10 + callback].count(time, 3, bounds);
    callback = callback == 5 ? 0 : callback + 1;
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_CountCall)->Arg(1)->Arg(20)->Arg(1000);

}  // namespace
}  // namespace weir::wasm
