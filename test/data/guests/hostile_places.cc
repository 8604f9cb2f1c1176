// The hostile guest of the places beside HTTP filters: a network filter (the bytes say what: `@check`, `@fuzz <seed> <count>`,
// `@close`), an access logger (`log`) and a service (`loop`, `trap`, `recurse`, `exit`, `flood`, `fuzz`: what its ticks do).
#include <initializer_list>

#include "hostile.h"

WEIR_EXPORT(proxy_abi_version_0_2_1) void hostile_places_abi_version() {}
WEIR_EXPORT(malloc) void* hostile_places_malloc(uint32_t size) { return malloc(size); }

extern "C" __attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void
wasi_exit(uint32_t code);

namespace hostile {

char scratch[4096];
uint32_t self_id = 0;

namespace {

constexpr uint32_t kDown = 2;
constexpr uint32_t kUp = 3;

uint32_t cases = 0;
uint32_t mismatches = 0;
uint32_t ticks = 0;
uint32_t root_id = 0;
Text configuration{};
Builder<128> first{};
Builder<256> summary{};

uint32_t ticks_metric = 0;

void count(const Text& name) {
  uint32_t metric = 0;
  if (proxy_define_metric(0, name.address(), name.size, address_of(&metric)) == 0)
    proxy_increment_metric(metric, 1);
}

const Text& sum_up() {
  static Text text;
  summary.size = 0;
  summary.add("cases=").add_number(cases).add(" mismatches=").add_number(mismatches);
  if (mismatches > 0) summary.add(" first=").add(first.text());
  text = summary.text();
  return text;
}

// ---- a connection -------------------------------------------------------------------------------------

void cases_of_bytes(uint32_t buffer) {
  const Text x = "x";
  const auto set = [buffer](uint32_t at, uint32_t size, Address data, uint32_t length) {
    return proxy_set_buffer_bytes(buffer, at, size, data, length);
  };
  expect("bytes.get_wild", proxy_get_buffer_bytes(buffer, 0, 8, kWild, out()), kMemory);
  expect("bytes.get_far", proxy_get_buffer_bytes(buffer, 0x7FFFFFFF, 8, out(), out2()), kOk);
  expect("bytes.get_overflow", proxy_get_buffer_bytes(buffer, kHuge, kHuge, out(), out2()),
         kBadArgument);
  expect("bytes.set_wild", set(0, 1, kWild, 4), kMemory);
  expect("bytes.set_huge", set(0, 1, x.address(), kHuge), kMemory);
  expect("bytes.append", set(0x7FFFFFFF, 0, x.address(), 1), kOk);
  expect("bytes.prepend", set(0, 0, x.address(), 1), kOk);
  expect("bytes.middle", set(1, 1, x.address(), 1), kOk);
  expect("bytes.clear", set(0, kHuge, 0, 0), kOk);
}

// Nothing of HTTP is there.
void cases_of_no_http() {
  const Text name = "x";
  for (uint32_t map = 0; map < 4; ++map) {
    expect("http.get", proxy_get_header_map_value(map, name.address(), name.size, out(), out2()),
           kBadArgument | kNotFound);
    expect("http.add", proxy_add_header_map_value(map, name.address(), 1, name.address(), 1),
           kBadArgument);
    expect("http.pairs", proxy_get_header_map_pairs(map, out(), out2()), kOk);
  }
  expect("http.body", proxy_set_buffer_bytes(0, 0, 1, name.address(), 1), kBadArgument | kNotFound);
  expect("http.reply", proxy_send_local_response(403, 0, 0, 0, 0, 0, 0, kHuge), kOk);
  expect("http.continue", proxy_continue_stream(0), kOk);
  expect("http.continue_response", proxy_continue_stream(1), kOk);
  expect("http.inject", proxy_inject_encoded_data_to_filter_chain(name.address(), name.size, 1),
         kOk);
  expect("http.override", proxy_set_upstream_override_host(name.address(), name.size), kOk);
}

void cases_of_connection() {
  expect("continue.down", proxy_continue_stream(kDown), kOk);
  expect("continue.up", proxy_continue_stream(kUp), kOk);
  expect("continue.type_4", proxy_continue_stream(4), kBadArgument);
  expect("close.type_4", proxy_close_stream(4), kBadArgument);
  expect("bytes.get_other_side", proxy_get_buffer_bytes(kUp, 0, 8, out(), out2()), kOk | kNotFound);
  expect("bytes.set_other_side", proxy_set_buffer_bytes(kUp, 0, 8, out(), 1),
         kBadArgument | kNotFound);
  cases_of_no_http();
  cases_of_bytes(kDown);
}

void replace(const Text& by) { proxy_set_buffer_bytes(kDown, 0, kHuge, by.address(), by.size); }

uint32_t obey(Text text) {
  const Text word = text.cut(' ');
  if (word == "@check") {
    cases = mismatches = first.size = 0;
    cases_of_connection();
    replace(sum_up());
  } else if (word == "@fuzz") {
    const uint32_t seed = text.cut(' ').number(1);
    fuzz(seed, text.number(1000));
    replace("fuzzed");
  } else if (word == "@close") {  // both sides, each twice, and goes on
    for (const uint32_t side : {kDown, kUp, kDown, kUp}) proxy_close_stream(side);
    proxy_continue_stream(kDown);
  }
  return 0;
}

// ---- an access logger ---------------------------------------------------------------------------------

// What has ended can be read and not changed.
void cases_of_log_entry() {
  const Text name = ":path";
  const Text x = "x";
  expect("log.get", proxy_get_header_map_value(0, name.address(), name.size, out(), out2()), kOk);
  for (const uint32_t map : {0U, 2U}) {
    expect("log.add", proxy_add_header_map_value(map, x.address(), 1, x.address(), 1),
           kBadArgument);
    expect("log.set", proxy_replace_header_map_value(map, x.address(), 1, x.address(), 1),
           kBadArgument);
    expect("log.remove", proxy_remove_header_map_value(map, name.address(), name.size),
           kBadArgument);
    expect("log.set_pairs", proxy_set_header_map_pairs(map, 0, 0), kBadArgument);
  }
  for (const uint32_t buffer : {0U, 1U})
    expect("log.body", proxy_set_buffer_bytes(buffer, 0, 1, x.address(), 1),
           kBadArgument | kNotFound);
  expect("log.reply", proxy_send_local_response(500, 0, 0, 0, 0, 0, 0, kHuge), kOk);
  for (uint32_t type = 0; type < 4; ++type) {
    expect("log.continue", proxy_continue_stream(type), kOk);
    expect("log.close", proxy_close_stream(type), kOk);
  }
  expect("log.effective", proxy_set_effective_context(0x7FFFFFF0), kBadArgument);
}

// ---- a service ----------------------------------------------------------------------------------------

uint32_t recurse(volatile uint32_t* depth) {
  volatile uint32_t own = *depth + 1;
  return own == 0 ? 0 : recurse(&own) + own;
}

void flood() {
  const Text x = "flood";
  for (uint32_t i = 0; i < 300; ++i) {
    Builder<32> name;
    name.add("hostile.flood.").add_number(ticks * 300 + i);
    uint32_t metric = 0;
    proxy_define_metric(0, name.text().address(), name.size, address_of(&metric));
    proxy_log(kError, x.address(), x.size);
    proxy_set_shared_data(name.text().address(), name.size, x.address(), x.size, 0);
    proxy_register_shared_queue(x.address(), x.size, address_of(&metric));
    proxy_enqueue_shared_queue(metric, x.address(), x.size);
  }
}

void act() {
  if (configuration == "loop") {
    for (volatile uint32_t i = 0;; i = i + 1) {
    }
  }
  if (configuration == "trap") __builtin_trap();
  if (configuration == "exit") wasi_exit(3);
  if (configuration == "recurse") {
    volatile uint32_t depth = 0;
    recurse(&depth);
  }
  if (configuration == "flood") flood();
  if (configuration == "fuzz") fuzz(++ticks, 500);
}

}  // namespace

Address beyond() { return static_cast<Address>(__builtin_wasm_memory_size(0) * 65536); }

void expect(const Text& name, uint32_t status, uint32_t allowed) {
  ++cases;
  if (status < 32 && (allowed & (1U << status)) != 0) return;
  if (mismatches++ == 0) first.add(name).add('=').add_number(status);
}

}  // namespace hostile

using namespace hostile;

WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent) {
  if (parent == 0) root_id = id;
}

WEIR_EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t size) {
  Handed bytes;
  proxy_get_buffer_bytes(7, 0, size, bytes.data_at(), bytes.size_at());
  configuration = bytes.text();
  const Text ticked = "hostile.ticks";  // before a flood takes all that there is
  proxy_define_metric(0, ticked.address(), ticked.size, address_of(&ticks_metric));
  if (!configuration.empty() && configuration != "log") proxy_set_tick_period_milliseconds(10);
  return 1;
}

WEIR_EXPORT(proxy_on_tick) void on_tick(uint32_t) {
  self_id = root_id;
  act();
  ++ticks;
  proxy_increment_metric(ticks_metric, 1);
}

WEIR_EXPORT(proxy_on_downstream_data)
uint32_t on_downstream_data(uint32_t id, uint32_t size, uint32_t) {
  self_id = id;
  Handed bytes;
  proxy_get_buffer_bytes(kDown, 0, size, bytes.data_at(), bytes.size_at());
  return obey(bytes.text());
}

WEIR_EXPORT(proxy_on_log) void on_log(uint32_t id) {
  if (id != root_id) return;
  cases = mismatches = first.size = 0;
  cases_of_log_entry();
  Builder<300> name;
  count(name.add("hostile.log.").add(sum_up()).text());
}
