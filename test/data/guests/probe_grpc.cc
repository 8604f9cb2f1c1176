// Actions of the probe guest on gRPC calls, and their callbacks.
#include "probe.h"

namespace probe {

namespace {

const Text kService = "probe.Service";

// `k:v,k:v` in the wire format of maps.
Builder<512> pairs_of(Text list) {
  Builder<512> out;
  const auto add_u32 = [&out](uint32_t value) {
    out.add(Text(reinterpret_cast<const char*>(&value), 4));
  };
  Text keys[8];
  Text values[8];
  uint32_t count = 0;
  while (!list.empty() && count < 8) {
    values[count] = list.cut(',');
    keys[count] = values[count].cut(':');
    ++count;
  }
  if (count == 0) return out;
  add_u32(count);
  for (uint32_t i = 0; i < count; ++i) {
    add_u32(keys[i].size);
    add_u32(values[i].size);
  }
  for (uint32_t i = 0; i < count; ++i) out.add(keys[i]).add('\0').add(values[i]).add('\0');
  return out;
}

// `%XX` stands for a byte, so that a serialised GrpcService can be given.
Builder<512> upstream_of(const Text& text) {
  Builder<512> out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
  for (uint32_t i = 0; i < text.size; ++i) {
    if (text.data[i] != '%' || i + 2 >= text.size) {
      out.add(text.data[i]);
      continue;
    }
    out.add(static_cast<char>(digit(text.data[i + 1]) << 4 | digit(text.data[i + 2])));
    i += 2;
  }
  return out;
}

void keep(Call& call, uint32_t id) {
  call.context->grpc_ids[call.context->grpc_count++ % kMaxGrpcCalls] = id;
}

// cluster|method|message|timeout|k:v
void unary(Call& call, const Action& action) {
  const auto upstream = upstream_of(action.a);
  const auto metadata = pairs_of(action.e);
  const Text method = action.b.empty() ? Text("Ask") : action.b;
  uint32_t id = 0;
  const uint32_t status =
      proxy_grpc_call(address_of(upstream.bytes), upstream.size, kService.address(), kService.size,
                      method.address(), method.size, address_of(metadata.bytes), metadata.size,
                      action.c.address(), action.c.size, action.d.number(0), address_of(&id));
  report_status(call, action, status);
  if (status == 0) keep(call, id);
}

// cluster|method|k:v
void stream(Call& call, const Action& action) {
  const auto upstream = upstream_of(action.a);
  const auto metadata = pairs_of(action.c);
  const Text method = action.b.empty() ? Text("Talk") : action.b;
  uint32_t id = 0;
  const uint32_t status = proxy_grpc_stream(
      address_of(upstream.bytes), upstream.size, kService.address(), kService.size,
      method.address(), method.size, address_of(metadata.bytes), metadata.size, address_of(&id));
  report_status(call, action, status);
  if (status == 0) keep(call, id);
}

// The target is the number of the call in this context; the last one by default.
uint32_t id_of(const Call& call, const Action& action) {
  const uint32_t count = call.context->grpc_count;
  if (action.target >= 1000 && action.target != kNoTarget) return action.target - 1000;
  const uint32_t index = action.target != kNoTarget ? action.target : count - 1;
  return count == 0 ? 0 : call.context->grpc_ids[index % kMaxGrpcCalls];
}

void send_fill(Call& call, const Action& action) {
  const uint32_t size = action.a.number(1);
  auto* bytes = static_cast<char*>(malloc(size));
  memset(bytes, 'x', size);
  report_status(call, action,
                proxy_grpc_send(id_of(call, action), address_of(bytes), size, action.b.number(0)));
  free(bytes);
}

void report_grpc(Context& context, const Text& where, uint32_t number, const Text& text) {
  Builder<1200> answer;
  answer.add_number(number);
  if (!text.empty()) answer.add(',').add_escaped(text);
  Action action{};
  action.name = "answer";
  Call call{&context, where, number, 0, 0};
  report(call, action, answer.text());
}

// Runs what its context says, as that context.
void told(uint32_t id, const Text& where, uint32_t number, const Text& text) {
  Context* context = find_grpc(id);
  if (context == nullptr) {
    Builder<64> line;
    line.add("probe: ").add(where).add(" for a stream that has gone");
    log_text(kInfo, line.text());
    return;
  }
  proxy_set_effective_context(context->id);
  report_grpc(*context, where, number, text);
  run_in(context->id, where, number);
}

}  // namespace

bool act_on_grpc(Call& call, const Action& action) {
  if (action.name == "grpc_call") {
    unary(call, action);
  } else if (action.name == "grpc_stream") {
    stream(call, action);
  } else if (action.name == "grpc_send") {
    report_status(call, action,
                  proxy_grpc_send(id_of(call, action), action.a.address(), action.a.size,
                                  action.b.number(0)));
  } else if (action.name == "grpc_send_fill") {
    send_fill(call, action);
  } else if (action.name == "grpc_end") {
    report_status(call, action, proxy_grpc_close(id_of(call, action)));
  } else if (action.name == "grpc_cancel") {
    report_status(call, action, proxy_grpc_cancel(id_of(call, action)));
  } else {
    return false;
  }
  return true;
}

}  // namespace probe

WEIR_EXPORT(proxy_on_grpc_receive_initial_metadata)
void on_grpc_head(uint32_t, uint32_t id, uint32_t count) {
  probe::told(id, "grpc_head", count, {});
}

WEIR_EXPORT(proxy_on_grpc_receive) void on_grpc_message(uint32_t, uint32_t id, uint32_t size) {
  Handed message;
  const uint32_t shown = size < 256 ? size : 256;
  if (size > 0) proxy_get_buffer_bytes(5, 0, shown, message.data_at(), message.size_at());
  probe::told(id, "grpc_message", size, message.text());
  free(const_cast<char*>(message.data));
}

WEIR_EXPORT(proxy_on_grpc_receive_trailing_metadata)
void on_grpc_trailers(uint32_t, uint32_t id, uint32_t count) {
  probe::told(id, "grpc_trailers", count, {});
}

WEIR_EXPORT(proxy_on_grpc_close) void on_grpc_end(uint32_t, uint32_t id, uint32_t status) {
  uint32_t code = 0;
  Handed message;
  proxy_get_status(address_of(&code), message.data_at(), message.size_at());
  Builder<256> text;
  if (code != status) text.add("get_status:").add_number(code).add(',');
  text.add(message.text());
  probe::told(id, "grpc_close", status, text.text());
  free(const_cast<char*>(message.data));
}
