// The guests of the benchmarks in C++, by the word in the plugin's configuration: `reply` answers each request itself, `body` reads each
// piece of a response's body and puts it back changed.
#include "raw_abi.h"

WEIR_EXPORT(proxy_abi_version_0_2_1) void bench_abi_version() {}
WEIR_EXPORT(malloc) void* bench_malloc(uint32_t size) { return malloc(size); }

namespace {

Text word;

Text buffer(uint32_t number, uint32_t size) {
  Handed bytes;
  if (size == 0 || proxy_get_buffer_bytes(number, 0, size, bytes.data_at(), bytes.size_at()) != 0)
    return {};
  return bytes.text();
}

}  // namespace

WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t, uint32_t) {}

WEIR_EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t size) {
  word = buffer(7, size);
  return word == "reply" || word == "body";
}

WEIR_EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t, uint32_t, uint32_t) {
  if (!(word == "reply")) return 0;
  constexpr Text kBody = "{\"message\": \"hello from the origin\", \"n\": 12345}";
  proxy_send_local_response(200, 0, 0, kBody.address(), kBody.size, 0, 0, UINT32_MAX);
  return 1;
}

WEIR_EXPORT(proxy_on_response_body) uint32_t on_response_body(uint32_t, uint32_t size, uint32_t) {
  const Text all = buffer(1, size);
  if (all.empty()) return 0;
  auto* bytes = const_cast<char*>(all.data);
  for (uint32_t i = 0; i < all.size; i += 64) bytes[i] = 'y';
  proxy_set_buffer_bytes(1, 0, all.size, all.address(), all.size);
  free(bytes);
  return 0;
}
