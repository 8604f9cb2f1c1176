// A guest whose allocator misbehaves as its plugin configuration says: zero, out_of_range, edge, wild, reenter, trap, loop or
// grow. The mode holds from the end of on_configure on. For each request it asks for `:path` and answers in its log and in
// the response header `x-hostile-alloc`: `<mode> get=<status>`, with `value=<path>` if it got one and, for reenter, what the
// calls inside the allocator were told, `<function>=<status>` each.
#include "raw_abi.h"

namespace {

char mode_bytes[32];
Text mode{};
bool armed = false;
Builder<512> inside{};
Builder<1024> answer{};

void note(const Text& name, uint32_t status) {
  inside.add(' ').add(name).add('=').add_number(status);
}

void call_everything() {
  const Text key = "x-inside";
  uint32_t number = 0;
  uint64_t time = 0;
  Handed handed;
  note("log", proxy_log(kInfo, key.address(), key.size));
  note("time", proxy_get_current_time_nanoseconds(address_of(&time)));
  note("get",
       proxy_get_header_map_value(0, address_of(":method"), 7, handed.data_at(), handed.size_at()));
  note("add", proxy_add_header_map_value(0, key.address(), key.size, key.address(), key.size));
  note("property",
       proxy_get_property(address_of("plugin_name"), 11, handed.data_at(), handed.size_at()));
  note("shared", proxy_set_shared_data(key.address(), key.size, key.address(), key.size, 0));
  note("reply", proxy_send_local_response(418, 0, 0, 0, 0, 0, 0, 0xFFFFFFFF));
  note("continue", proxy_continue_stream(0));
  note("close", proxy_close_stream(0));
  note("tick", proxy_set_tick_period_milliseconds(1));
  note("metric", proxy_define_metric(0, key.address(), key.size, address_of(&number)));
  note("effective", proxy_set_effective_context(1));
  note("call",
       proxy_http_call(key.address(), key.size, 0, 0, 0, 0, 0, 0, 100, address_of(&number)));
}

volatile uint32_t sink = 0;

void* allocate(uint32_t size) {
  if (!armed) return malloc(size);
  const auto end = static_cast<uint32_t>(__builtin_wasm_memory_size(0) * 65536);
  if (mode == Text("zero")) return nullptr;
  if (mode == Text("out_of_range")) return reinterpret_cast<void*>(end + 65536);
  if (mode == Text("edge")) return reinterpret_cast<void*>(end - size + 1);
  if (mode == Text("wild")) return reinterpret_cast<void*>(0xFFFFFFFF);
  if (mode == Text("trap")) __builtin_trap();
  while (mode == Text("loop")) sink = sink + 1;
  if (mode == Text("grow")) {
    // Memory moves while the host waits: an address it took before is stale.
    const auto page = __builtin_wasm_memory_grow(0, 16);
    if (page != static_cast<size_t>(-1)) return reinterpret_cast<void*>(page * 65536);
  }
  if (mode == Text("reenter")) {
    armed = false;
    call_everything();
    armed = true;
  }
  return malloc(size);
}

}  // namespace

WEIR_EXPORT(proxy_abi_version_0_2_1) void hostile_alloc_abi_version() {}
WEIR_EXPORT(malloc) void* hostile_alloc_malloc(uint32_t size) { return allocate(size); }
WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t, uint32_t) {}

WEIR_EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t size) {
  Handed configuration;
  proxy_get_buffer_bytes(7, 0, size, configuration.data_at(), configuration.size_at());
  const uint32_t length =
      configuration.size < sizeof(mode_bytes) ? configuration.size : sizeof(mode_bytes);
  if (length > 0) memcpy(mode_bytes, configuration.data, length);
  mode = Text(mode_bytes, length);
  armed = true;
  return 1;
}

WEIR_EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t, uint32_t, uint32_t) {
  Handed path;
  inside.size = 0;
  answer.size = 0;
  const uint32_t status =
      proxy_get_header_map_value(0, address_of(":path"), 5, path.data_at(), path.size_at());
  answer.add(mode).add(" get=").add_number(status);
  if (status == 0) answer.add(" value=").add_escaped(path.text());
  answer.add(inside.text());
  Builder<1100> line;
  log_text(kInfo, line.add("hostile_alloc: ").add(answer.text()).text());
  return 0;
}

WEIR_EXPORT(proxy_on_response_headers) uint32_t on_response_headers(uint32_t, uint32_t, uint32_t) {
  const Text key = "x-hostile-alloc";
  const Text value = answer.text();
  proxy_add_header_map_value(2, key.address(), key.size, value.address(), value.size);
  return 0;
}
