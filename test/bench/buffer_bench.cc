// Buffer and HeaderMap: what every message passes through.
#include <benchmark/benchmark.h>

#include <sys/uio.h>

#include <array>
#include <string>

#include <weir/buffer.h>
#include <weir/header_map.h>

namespace weir {
namespace {

// A small message in and out again: the blocks come from the pool.
void BM_BufferAppendAndDrain(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  Buffer buffer;
  for (auto _ : state) {
    buffer.append(text);
    buffer.drain(text.size());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_BufferAppendAndDrain)->Arg(100)->Arg(4096)->Arg(65536);

// The read path: room for a readv, a commit, the slices for writev, the end.
void BM_BufferScatterAndGather(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  Buffer buffer;
  std::array<iovec, 16> parts{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(buffer.scatter(parts, size));
    buffer.commit_scatter(size);
    benchmark::DoNotOptimize(buffer.gather(parts));
    buffer.drain(size);
  }
}
BENCHMARK(BM_BufferScatterAndGather)->Arg(100)->Arg(16384)->Arg(65536);

// A body on its way from the upstream's buffer to the client's: no byte is copied.
void BM_BufferMove(benchmark::State& state) {
  Buffer from;
  from.append(std::string(65536, 'x'));
  Buffer to;
  for (auto _ : state) {
    from.move_to(to, 65536);
    from.append(std::move(to));
  }
}
BENCHMARK(BM_BufferMove);

void BM_HeaderMapFill(benchmark::State& state) {
  HeaderMap headers;
  for (auto _ : state) {
    headers.clear();
    headers.add(HeaderId::kUserAgent, "curl/7.88.1");
    headers.add(HeaderId::kAccept, "*/*");
    headers.add("x-customer", "4711");
    headers.set(HeaderId::kXForwardedProto, "http");
    benchmark::DoNotOptimize(headers.size());
  }
}
BENCHMARK(BM_HeaderMapFill);

void BM_HeaderMapLookUp(benchmark::State& state) {
  HeaderMap headers;
  for (int i = 0; i < 20; ++i) headers.add("x-header-" + std::to_string(i), "value");
  headers.add("x-last", "value");
  for (auto _ : state) {
    benchmark::DoNotOptimize(headers.get("x-last"));
    benchmark::DoNotOptimize(headers.get(HeaderId::kUserAgent));
  }
}
BENCHMARK(BM_HeaderMapLookUp);

}  // namespace
}  // namespace weir
