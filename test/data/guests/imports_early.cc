// A module of ABI 0.1.0, of spring 2020: its own function for the configuration, continue and clear_route_cache by their old
// names, gRPC without metadata, head callbacks without end_of_stream, and what Emscripten imported. The response has
// `x-early: checks=<n> failed=<names>`.
#include "raw_abi.h"

WEIR_IMPORT(proxy_get_configuration)(Address value, Address size);
WEIR_IMPORT(proxy_continue_request)();
WEIR_IMPORT(proxy_continue_response)();
WEIR_IMPORT(proxy_clear_route_cache)();
// Under a name of its own: a libc may have the function too.
extern "C" __attribute__((import_module("env"), import_name("pthread_equal"))) uint32_t same_thread(
    uint32_t one, uint32_t other);
extern "C"
    __attribute__((import_module("env"), import_name("emscripten_notify_memory_growth"))) void
    notify_growth(uint32_t memory);
// The same names as in raw_abi.h, with the parameters that they had.
extern "C" __attribute__((import_module("env"), import_name("proxy_grpc_call")))
uint32_t early_grpc_call(Address, uint32_t, Address, uint32_t, Address, uint32_t, Address, uint32_t,
                         uint32_t, Address);
extern "C" __attribute__((import_module("env"), import_name("proxy_grpc_stream")))
uint32_t early_grpc_stream(Address, uint32_t, Address, uint32_t, Address, uint32_t, Address);

namespace {

Builder<256> failed;
uint32_t done = 0;

void check(const char* name, bool good) {
  ++done;
  if (!good) failed.add(name).add(',');
}

bool configuration_is(const char* expected) {
  const char* value = nullptr;
  uint32_t size = 0;
  return proxy_get_configuration(address_of(&value), address_of(&size)) == 0 &&
         Text(value, size) == Text(expected);
}

}  // namespace

WEIR_EXPORT(proxy_abi_version_0_1_0) void marker() {}
WEIR_EXPORT(malloc) void* allocate(size_t size) { return ::malloc(size); }
WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t, uint32_t) {}

WEIR_EXPORT(proxy_on_vm_start) uint32_t on_vm_start(uint32_t, uint32_t expected) {
  check("get_configuration at start", expected == 2 && configuration_is("vm"));
  return 1;
}

WEIR_EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t expected) {
  check("get_configuration", expected == 5 && configuration_is("early"));
  check("pthread_equal", same_thread(7, 7) == 1 && same_thread(7, 8) == 0);
  notify_growth(0);
  return 1;
}

// Asks to go on, and stops: it goes on.
WEIR_EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t, uint32_t) {
  check("get_configuration later", configuration_is("vm"));
  check("clear_route_cache", proxy_clear_route_cache() == 0);
  check("continue_request", proxy_continue_request() == 0);
  const Text name = "nowhere";
  uint32_t id = 0;
  check("grpc_call",
        early_grpc_call(name.address(), name.size, name.address(), name.size, name.address(),
                        name.size, name.address(), name.size, 100, address_of(&id)) != 0);
  check("grpc_stream", early_grpc_stream(name.address(), name.size, name.address(), name.size,
                                         name.address(), name.size, address_of(&id)) != 0);
  return 1;
}

WEIR_EXPORT(proxy_on_response_headers) uint32_t on_response_headers(uint32_t, uint32_t) {
  check("continue_response", proxy_continue_response() == 0);
  Builder<300> text;
  text.add("checks=").add_number(done).add(" failed=").add(failed.text());
  const Text name = "x-early";
  proxy_add_header_map_value(2, name.address(), name.size, address_of(text.bytes), text.size);
  return 1;
}
