// Actions of the probe guest that call WASI, and those that misbehave.
#include <wasi/api.h>

#include "probe.h"

namespace probe {

namespace {

void report_errno(Call& call, const Action& action, __wasi_errno_t error, uint64_t number) {
  Builder<64> answer;
  if (error != 0) {
    answer.add("errno:").add_number(error);
  } else {
    answer.add("ok:").add_number(number);
  }
  report(call, action, answer.text());
}

void environment(Call& call, const Action& action) {
  __wasi_size_t count = 0;
  __wasi_size_t size = 0;
  Builder<1024> answer;
  auto error = __wasi_environ_sizes_get(&count, &size);
  auto** entries = static_cast<uint8_t**>(calloc(count + 1, sizeof(uint8_t*)));
  auto* bytes = static_cast<uint8_t*>(calloc(size + 1, 1));
  if (error == 0) error = __wasi_environ_get(entries, bytes);
  answer.add("ok:").add_number(count);
  for (__wasi_size_t i = 0; error == 0 && i < count; ++i) {
    answer.add(',').add_escaped(Text(reinterpret_cast<const char*>(entries[i])));
  }
  free(entries);
  free(bytes);
  report(call, action, error != 0 ? Text("errno") : answer.text());
}

// Grows as far as the host lets it and reports the pages it then has.
void exhaust_memory(Call& call, const Action& action) {
  while (__builtin_wasm_memory_grow(0, 64) != static_cast<size_t>(-1)) {
  }
  while (__builtin_wasm_memory_grow(0, 1) != static_cast<size_t>(-1)) {
  }
  Builder<64> answer;
  answer.add("pages:").add_number(__builtin_wasm_memory_size(0));
  report(call, action, answer.text());
}

volatile uint32_t sink = 0;

char* volatile kept = nullptr;

[[gnu::noinline]] uint32_t recurse(uint32_t depth) {
  if (depth == 0xFFFFFFFF) return 0;
  volatile char frame[64];
  frame[0] = static_cast<char>(depth);
  sink = depth;
  const uint32_t below = recurse(depth + 1);
  return below + static_cast<uint32_t>(frame[0]);
}

__wasi_timestamp_t monotonic_now() {
  __wasi_timestamp_t now = 0;
  if (__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &now) != 0) __builtin_trap();
  return now;
}

void burn(uint32_t milliseconds) {
  const auto start = monotonic_now();
  while (monotonic_now() - start < static_cast<__wasi_timestamp_t>(milliseconds) * 1000000) {
    for (uint32_t i = 0; i < 1000; ++i) sink = i;
  }
}

}  // namespace

bool act_on_wasi(Call& call, const Action& action) {
  if (action.name == "clock") {
    __wasi_timestamp_t time = 0;
    const auto error = __wasi_clock_time_get(action.a.number(), 1, &time);
    report_errno(call, action, error, time);
  } else if (action.name == "random") {
    const uint32_t size = action.a.number(8);
    auto* bytes = static_cast<uint8_t*>(calloc(size + 8, 1));
    const auto error = __wasi_random_get(bytes, size);
    uint64_t value = 0;
    memcpy(&value, bytes, 8);
    report_errno(call, action, error, value);
    free(bytes);
  } else if (action.name == "environ") {
    environment(call, action);
  } else if (action.name == "args") {
    __wasi_size_t count = 99;
    __wasi_size_t size = 99;
    const auto error = __wasi_args_sizes_get(&count, &size);
    report_errno(call, action, error, count + size);
  } else if (action.name == "write" || action.name == "write_line") {
    // write|fd|text
    Builder<1024> text;
    text.add(action.b);
    if (action.name == "write_line") text.add('\n');
    const __wasi_ciovec_t vector{reinterpret_cast<const uint8_t*>(text.bytes), text.size};
    __wasi_size_t written = 0;
    const auto error =
        __wasi_fd_write(static_cast<__wasi_fd_t>(action.a.number(1)), &vector, 1, &written);
    report_errno(call, action, error, written);
  } else if (action.name == "yield") {
    report_errno(call, action, __wasi_sched_yield(), 0);
  } else if (action.name == "prestat") {
    __wasi_prestat_t stat{};
    report_errno(call, action, __wasi_fd_prestat_get(3, &stat), 0);
  } else {
    return false;
  }
  return true;
}

bool act_badly(Call& call, const Action& action) {
  if (action.name == "trap") {
    __builtin_trap();
  } else if (action.name == "loop") {
    while (true) sink = sink + 1;
  } else if (action.name == "log_loop") {
    while (true) log_text(kInfo, "probe: endless");
  } else if (action.name == "oom") {
    exhaust_memory(call, action);
  } else if (action.name == "recurse") {
    sink = recurse(0);
  } else if (action.name == "exit") {
    __wasi_proc_exit(action.a.number());
  } else if (action.name == "out_of_bounds") {
    sink = *reinterpret_cast<volatile uint32_t*>(0xFFFFFFF0);
  } else if (action.name == "divide_by_zero") {
    volatile uint32_t dividend = 7;
    volatile uint32_t zero = 0;
    sink = dividend / zero;
  } else if (action.name == "burn") {
    burn(action.a.number());
    report(call, action, "ok");
  } else if (action.name == "leak") {
    // leak|bytes: keeps and touches them
    auto* bytes = static_cast<char*>(malloc(action.a.number()));
    if (bytes != nullptr) memset(bytes, 1, action.a.number());
    kept = bytes;  // or the compiler takes all of it away
    report(call, action, bytes != nullptr ? Text("ok") : Text("refused"));
  } else if (action.name == "pages") {
    Builder<64> answer;
    answer.add("ok:").add_number(__builtin_wasm_memory_size(0));
    report(call, action, answer.text());
  } else {
    return false;
  }
  return true;
}

}  // namespace probe
