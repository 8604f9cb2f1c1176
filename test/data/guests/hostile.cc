// Calls every host function with bad addresses, sizes, enumerators, handles and states, and compares what it is told with
// what the ABI says. It reads the request header `x-hostile`: a group's name, nothing for all groups, or
// `fuzz:<seed>:<count>` for random calls of which only survival is asked. It answers in its log (mismatches as errors) and
// in the response header `x-hostile`: `cases=<n> mismatches=<n> first=<case>=<status>`.
#include <wasi/api.h>

#include "hostile.h"

WEIR_EXPORT(proxy_abi_version_0_2_1) void hostile_abi_version() {}
WEIR_EXPORT(malloc) void* hostile_malloc(uint32_t size) { return malloc(size); }
WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t, uint32_t) {}

namespace hostile {

char scratch[4096];
uint32_t self_id = 0;

namespace {

Text selected{};  // the group to run, empty for all
uint32_t cases = 0;
uint32_t mismatches = 0;
Builder<128> first{};
Builder<256> summary{};

}  // namespace

bool wants(const Text& group) { return selected.empty() || selected == group; }

Address beyond() { return static_cast<Address>(__builtin_wasm_memory_size(0) * 65536); }

void expect(const Text& name, uint32_t status, uint32_t allowed) {
  ++cases;
  const bool good = status < 32 && (allowed & (1U << status)) != 0;
  Builder<160> line;
  line.add("hostile: ").add(name).add(" = ").add_number(status);
  if (!good) {
    line.add(", not one of");
    for (uint32_t i = 0; i < 32; ++i) {
      if ((allowed & (1U << i)) != 0) line.add(' ').add_number(i);
    }
    if (mismatches++ == 0) first.add(name).add('=').add_number(status);
  }
  log_text(good ? kDebug : kError, line.text());
}

namespace {

void run_all() {
  cases_of_log();
  cases_of_properties();
  cases_of_streams();
  cases_of_shared();
  cases_of_headers();
  cases_of_buffers();
  cases_of_callouts();
  cases_of_higress();
  cases_of_metrics();
  cases_of_wasi();
}

void run(const Text& header) {
  cases = 0;
  mismatches = 0;
  first.size = 0;
  summary.size = 0;
  Text rest = header;
  if (rest.cut(':') == Text("fuzz")) {
    const uint32_t seed = rest.cut(':').number(1);
    const uint32_t count = rest.cut(':').number(1000);
    fuzz(seed, count);
    summary.add("fuzz=").add_number(count);
  } else {
    selected = header;
    run_all();
    summary.add("cases=").add_number(cases).add(" mismatches=").add_number(mismatches);
    if (mismatches > 0) summary.add(" first=").add(first.text());
  }
  Builder<300> line;
  log_text(mismatches > 0 ? kError : kInfo, line.add("hostile: ").add(summary.text()).text());
}

}  // namespace

}  // namespace hostile

WEIR_EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t id, uint32_t, uint32_t) {
  Handed header;
  const Text key = "x-hostile";
  hostile::self_id = id;
  proxy_get_header_map_value(0, key.address(), key.size, header.data_at(), header.size_at());
  hostile::run(header.text());
  free(const_cast<char*>(header.data));
  return 0;
}

WEIR_EXPORT(proxy_on_response_headers) uint32_t on_response_headers(uint32_t, uint32_t, uint32_t) {
  const Text key = "x-hostile";
  const Text value = hostile::summary.text();
  proxy_add_header_map_value(2, key.address(), key.size, value.address(), value.size);
  return 0;
}
