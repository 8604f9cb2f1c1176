// Random calls of the hostile guest: any function with any mixture of good, bad and borderline arguments. Out-addresses stay
// in a scratch area or outside memory, so that the guest does not destroy itself.
#include "hostile.h"

namespace hostile {

namespace {

alignas(8) char area[65536];

// xorshift32: small, and the same sequence everywhere.
struct Random {
  uint32_t state;
  uint32_t next() {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
  }
  uint32_t below(uint32_t n) { return next() % n; }

  Address in() {
    switch (below(10)) {
      case 0:
        return 0;
      case 1:
        return kWild;
      case 2:
        return beyond() - below(16);
      case 3:
        return beyond();
      case 4:
        return next();
      default:
        return address_of(area) + below(sizeof(area));
    }
  }
  Address to() {
    return below(10) < 8 ? address_of(area) + below(sizeof(area) - 16)
                         : beyond() - (below(2) != 0 ? below(4) : 0);
  }
  uint32_t size() {
    switch (below(12)) {
      case 0:
        return 0;
      case 1:
        return kHuge;
      case 2:
        return next();
      case 3:
        return 0x7FFFFFFF;
      case 4:
        return below(65536);
      default:
        return below(40);
    }
  }
  uint32_t kind() { return below(20) == 0 ? next() : below(11); }
  uint32_t handle() { return below(4) == 0 ? next() : below(16); }
  int64_t delta() {
    return below(3) == 0 ? static_cast<int64_t>((static_cast<uint64_t>(next()) << 32) | next())
                         : below(10);
  }
};

uint32_t call_headers(Random& r) {
  switch (r.below(7)) {
    case 0:
      return proxy_get_header_map_value(r.kind(), r.in(), r.size(), r.to(), r.to());
    case 1:
      return proxy_add_header_map_value(r.kind(), r.in(), r.size(), r.in(), r.size());
    case 2:
      return proxy_replace_header_map_value(r.kind(), r.in(), r.size(), r.in(), r.size());
    case 3:
      return proxy_remove_header_map_value(r.kind(), r.in(), r.size());
    case 4:
      return proxy_get_header_map_pairs(r.kind(), r.to(), r.to());
    case 5:
      return proxy_set_header_map_pairs(r.kind(), r.in(), r.size());
    default:
      return proxy_get_header_map_size(r.kind(), r.to());
  }
}

uint32_t call_data(Random& r) {
  switch (r.below(11)) {
    case 0:
      return proxy_get_buffer_status(r.kind(), r.to(), r.to());
    case 1:
      return proxy_get_buffer_bytes(r.kind(), r.size(), r.size(), r.to(), r.to());
    case 2:
      return proxy_set_buffer_bytes(r.kind(), r.size(), r.size(), r.in(), r.size());
    case 3:
      return proxy_get_shared_data(r.in(), r.size(), r.to(), r.to(), r.to());
    case 4:
      return proxy_set_shared_data(r.in(), r.size(), r.in(), r.size(), r.handle());
    case 5:
      return proxy_register_shared_queue(r.in(), r.size(), r.to());
    case 6:
      return proxy_resolve_shared_queue(r.in(), r.size(), r.in(), r.size(), r.to());
    case 7:
      return proxy_enqueue_shared_queue(r.handle(), r.in(), r.size());
    case 8:
      return proxy_dequeue_shared_queue(r.handle(), r.to(), r.to());
    case 9:
      return proxy_get_property(r.in(), r.size(), r.to(), r.to());
    default:
      return proxy_set_property(r.in(), r.size(), r.in(), r.size());
  }
}

uint32_t call_callouts(Random& r) {
  switch (r.below(11)) {
    case 6:
      return proxy_redis_init(r.in(), r.size(), r.in(), r.size(), r.in(), r.size(), r.size());
    case 7:
      return proxy_redis_call(r.in(), r.size(), r.in(), r.size(), r.to());
    case 8:
      return proxy_get_upstream_hosts(r.to(), r.to());
    case 9:
      return proxy_set_upstream_override_host(r.in(), r.size());
    case 0:
      return proxy_http_call(r.in(), r.size(), r.in(), r.size(), r.in(), r.size(), r.in(), r.size(),
                             r.size(), r.to());
    case 1:
      return proxy_grpc_call(r.in(), r.size(), r.in(), r.size(), r.in(), r.size(), r.in(), r.size(),
                             r.in(), r.size(), r.size(), r.to());
    case 2:
      return proxy_grpc_stream(r.in(), r.size(), r.in(), r.size(), r.in(), r.size(), r.in(),
                               r.size(), r.to());
    case 3:
      return proxy_grpc_send(r.handle(), r.in(), r.size(), r.below(2));
    case 4:
      return proxy_grpc_close(r.handle());
    case 5:
      return proxy_grpc_cancel(r.handle());
    default:
      return proxy_call_foreign_function(r.in(), r.size(), r.in(), r.size(), r.to(), r.to());
  }
}

uint32_t call_others(Random& r) {
  switch (r.below(12)) {
    case 0:
      return proxy_log(r.kind(), r.in(), r.size());
    case 1:
      return proxy_get_log_level(r.to());
    case 2:
      return proxy_get_status(r.to(), r.to(), r.to());
    case 3:
      return proxy_continue_stream(r.kind());
    case 4:
      return proxy_close_stream(4 + r.kind());
    case 5:
      return proxy_send_local_response(r.size(), r.in(), r.size(), r.in(), r.size(), kWild, 16,
                                       r.handle());
    case 6:
      return proxy_get_current_time_nanoseconds(r.to());
    case 7:
      return proxy_define_metric(r.kind(), r.in(), r.size(), r.to());
    case 8:
      return proxy_increment_metric(r.handle(), r.delta());
    case 9:
      return proxy_record_metric(r.handle(), static_cast<uint64_t>(r.delta()));
    case 10:
      return proxy_get_metric(r.handle(), r.to());
    default:
      return proxy_set_effective_context(r.handle());
  }
}

const Text kOrigin = "origin";
uint32_t calls[8] = {};  // ids of gRPC calls that have been begun

// Calls that do go somewhere, with the rest at random.
uint32_t call_grpc(Random& r) {
  const Text method = "m";
  uint32_t& kept = calls[r.below(8)];
  switch (r.below(6)) {
    case 0:
      return proxy_grpc_call(kOrigin.address(), kOrigin.size, method.address(), method.size,
                             method.address(), method.size, r.below(2) != 0 ? 0 : r.in(),
                             r.below(2) != 0 ? 0 : r.size(), r.in(), r.size(), r.size(),
                             address_of(&kept));
    case 1:
      return proxy_grpc_stream(kOrigin.address(), kOrigin.size, method.address(), method.size,
                               method.address(), method.size, 0, 0, address_of(&kept));
    case 2:
    case 3:
      return proxy_grpc_send(kept, r.in(), r.size(), r.below(8) == 0);
    case 4:
      return proxy_grpc_close(kept);
    default:
      return proxy_grpc_cancel(kept);
  }
}

uint32_t call_higress(Random& r) {
  static const Text names[] = {"inject_encoded_data_to_filter_chain_on_header",
                               "set_global_max_requests_per_io_cycle",
                               "get_log_level",
                               "compress",
                               "uncompress",
                               "verify_signature",
                               "set_envoy_filter_state",
                               "declare_property",
                               "expr_create",
                               "expr_evaluate",
                               "expr_delete"};
  const Text& name = names[r.below(sizeof(names) / sizeof(names[0]))];
  switch (r.below(4)) {
    case 0:
      return proxy_redis_init(kOrigin.address(), kOrigin.size, r.in(), r.size(), r.in(), r.size(),
                              r.size());
    case 1:
      return proxy_redis_call(kOrigin.address(), kOrigin.size, r.in(), r.size(), r.to());
    case 2:
      return proxy_get_upstream_hosts(r.to(), r.to());
    default:
      return proxy_call_foreign_function(name.address(), name.size, r.in(), r.size(), r.to(),
                                         r.to());
  }
}

}  // namespace

void fuzz(uint32_t seed, uint32_t count) {
  Random random{seed != 0 ? seed : 1};
  for (uint32_t i = 0; i < sizeof(area); ++i) area[i] = static_cast<char>(random.next());
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t status = 0;
    switch (random.below(6)) {
      case 0:
        status = call_headers(random);
        break;
      case 1:
        status = call_data(random);
        break;
      case 2:
        status = call_callouts(random);
        break;
      case 3:
        status = call_grpc(random);
        break;
      case 4:
        status = call_higress(random);
        break;
      default:
        status = call_others(random);
        break;
    }
    if (status > 12) expect("fuzz.no_such_status", status, 0x1FFF);
  }
  proxy_set_effective_context(self_id);
}

}  // namespace hostile
