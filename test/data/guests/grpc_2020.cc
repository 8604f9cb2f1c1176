// A module of 2020: its gRPC calls have no metadata. It asks for each request, lets it go on with the answer, and talks on a
// stream besides.
#include "raw_abi.h"

WEIR_EXPORT(proxy_abi_version_0_1_0) void abi_version() {}
WEIR_EXPORT(malloc) void* guest_malloc(uint32_t size) { return malloc(size); }

extern "C" {
__attribute__((import_module("env"), import_name("proxy_grpc_call"))) uint32_t grpc_call(
    Address upstream, uint32_t upstream_size, Address service, uint32_t service_size,
    Address method, uint32_t method_size, Address message, uint32_t message_size, uint32_t timeout,
    Address id);
__attribute__((import_module("env"), import_name("proxy_grpc_stream"))) uint32_t grpc_stream(
    Address upstream, uint32_t upstream_size, Address service, uint32_t service_size,
    Address method, uint32_t method_size, Address id);
}

namespace {
uint32_t asking = 0;  // the stream that waits
const Text kCluster = "origin";
const Text kService = "old.Service";
}  // namespace

WEIR_EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t id, uint32_t) {
  const Text ask = "Ask";
  const Text talk = "Talk";
  const Text question = "question";
  uint32_t call = 0;
  uint32_t stream = 0;
  const uint32_t asked =
      grpc_call(kCluster.address(), kCluster.size, kService.address(), kService.size, ask.address(),
                ask.size, question.address(), question.size, 700, address_of(&call));
  const uint32_t began = grpc_stream(kCluster.address(), kCluster.size, kService.address(),
                                     kService.size, talk.address(), talk.size, address_of(&stream));
  if (asked != 0 || began != 0 || call == 0 || stream == 0) return 0;
  asking = id;
  proxy_grpc_send(stream, question.address(), question.size, 1);
  return 1;
}

WEIR_EXPORT(proxy_on_grpc_receive) void on_grpc_receive(uint32_t, uint32_t, uint32_t) {
  proxy_set_effective_context(asking);
  proxy_continue_stream(0);
}
