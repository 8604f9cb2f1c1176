// The cases of the hostile guest about what Higress has beyond the ABI.
#include "hostile.h"

namespace hostile {

namespace {

// One command, and what is none.
const Text kPing = "*1\r\n$4\r\nPING\r\n";
const Text kBadCommands[] = {
    "",
    "PING\r\n",
    "*1\r\n$4\r\nPIN",
    "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
    "*2147483647\r\n",
    "*-2\r\n",
    "*1\r\n$2147483647\r\nx\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n$1\r\na\r\n",
    "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"};
const Text kBadTargets[] = {"",
                            "?db=1",
                            "no_such_cluster",
                            "origin?db=-1",
                            "origin?db=99999999999999999999",
                            "origin?buffer_flush_timeout=x",
                            "origin?max_buffer_size_before_flush=9999999999"};

uint32_t init(const Text& target) {
  return proxy_redis_init(target.address(), target.size, 0, 0, 0, 0, 1);
}

uint32_t call(const Text& target, const Text& command) {
  return proxy_redis_call(target.address(), target.size, command.address(), command.size, out());
}

uint32_t foreign(const Text& name, const Text& argument) {
  return proxy_call_foreign_function(name.address(), name.size, argument.address(), argument.size,
                                     out(), out2());
}

uint32_t set(const Text& name, const Text& value) {
  return proxy_set_property(name.address(), name.size, value.address(), value.size);
}

}  // namespace

void cases_of_higress() {
  if (!wants("higress")) return;
  const Text cluster = "origin";
  const Address at = cluster.address();
  for (const Text& target : kBadTargets) expect("redis_init.target", init(target), kBadArgument);
  expect("redis_init.timeout", proxy_redis_init(at, cluster.size, 0, 0, 0, 0, kHuge), kBadArgument);
  expect("redis_init.wild", proxy_redis_init(kWild, 4, 0, 0, 0, 0, 1), kMemory);
  expect("redis_init.wild_user", proxy_redis_init(at, cluster.size, kWild, 4, 0, 0, 1), kMemory);
  expect("redis_init.wild_password", proxy_redis_init(at, cluster.size, 0, 0, kWild, 4, 1),
         kMemory);
  for (const Text& command : kBadCommands)
    expect("redis_call.command", call(cluster, command), kBadArgument);
  expect("redis_call.unknown_cluster", call("no_such_cluster", kPing), kBadArgument);
  expect("redis_call.wild", proxy_redis_call(kWild, 4, kPing.address(), kPing.size, out()),
         kMemory);
  expect("redis_call.wild_query", proxy_redis_call(at, cluster.size, kWild, 4, out()), kMemory);
  expect("redis_call.wild_id",
         proxy_redis_call(at, cluster.size, kPing.address(), kPing.size, kWild), kMemory);
  expect("redis_reply.outside", proxy_get_buffer_bytes(9, 0, 10, out(), out2()), kNotFound);
  expect("hosts.wild", proxy_get_upstream_hosts(kWild, out()), kMemory);
  expect("hosts.wild_size", proxy_get_upstream_hosts(out(), kWild), kMemory);
  expect("override.wild", proxy_set_upstream_override_host(kWild, 4), kMemory);
  expect("override.nobody", proxy_set_upstream_override_host(at, cluster.size), kOk);
  expect("override.nothing", proxy_set_upstream_override_host(0, 0), kOk);
  expect("inject.wild", proxy_inject_encoded_data_to_filter_chain(kWild, 4, 0), kMemory);
  const Text injection = "inject_encoded_data_to_filter_chain";
  expect("inject.cut_short", foreign(injection, "\x0A"), kBadArgument);
  expect("inject.length", foreign(injection, "\x0A\x7Fx"), kBadArgument);
  expect("inject.length_huge", foreign(injection, "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01x"),
         kBadArgument);
  expect("inject.endless_varint",
         foreign(injection, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), kBadArgument);
  expect("inject.other_type", foreign(injection, "\x0D\x01\x02\x03\x04"), kOk);
  expect("inject.wire_type", foreign(injection, "\x0B\x01\x02\x03\x04"), kBadArgument);
  expect("cycle.size", foreign("set_global_max_requests_per_io_cycle", "abc"), kBadArgument);
  expect("limit.empty", set("set_decoder_buffer_limit", ""), kBadArgument);
  expect("limit.negative", set("set_encoder_buffer_limit", "-1"), kBadArgument);
  expect("limit.huge", set("set_encoder_buffer_limit", "99999999999999999999"), kBadArgument);
  expect("rebuild.no", set("wasm_need_rebuild", "no"), kOk);
}

}  // namespace hostile
