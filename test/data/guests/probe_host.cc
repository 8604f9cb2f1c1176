// Actions of the probe guest that call the host.
#include "probe.h"

namespace probe {

namespace {

uint32_t or_else(uint32_t target, uint32_t fallback) {
  return target == kNoTarget ? fallback : target;
}

// `k:v,k:v` in the wire format of maps. A key may begin with a colon.
template <uint32_t Capacity>
void build_pairs(Builder<Capacity>& out, Text list) {
  const auto add_u32 = [&out](uint32_t value) {
    out.add(Text(reinterpret_cast<const char*>(&value), 4));
  };
  Text keys[32];
  Text values[32];
  uint32_t count = 0;
  while (!list.empty() && count < 32) {
    Text item = list.cut(',');
    const uint32_t pseudo = !item.empty() && item.data[0] == ':' ? 1 : 0;
    Text rest = item.from(pseudo);
    const Text key = rest.cut(':');
    keys[count] = Text(key.data - pseudo, key.size + pseudo);
    values[count++] = rest;
  }
  if (count == 0) return;
  add_u32(count);
  for (uint32_t i = 0; i < count; ++i) {
    add_u32(keys[i].size);
    add_u32(values[i].size);
  }
  for (uint32_t i = 0; i < count; ++i) out.add(keys[i]).add('\0').add(values[i]).add('\0');
}

// Turns `a/b/c` into a path of the ABI.
Builder<512> path_of(const Text& text, bool trailing_nul) {
  Builder<512> path;
  for (uint32_t i = 0; i < text.size; ++i) path.add(text.data[i] == '/' ? '\0' : text.data[i]);
  if (trailing_nul) path.add('\0');
  return path;
}

void report_pairs(Call& call, const Action& action) {
  Handed pairs;
  const uint32_t status = proxy_get_header_map_pairs(or_else(action.target, call.map()),
                                                     pairs.data_at(), pairs.size_at());
  Builder<1024> answer;
  uint32_t count = 0;
  if (pairs.size >= 4) memcpy(&count, pairs.data, 4);
  answer.add("ok:").add_number(count);
  uint32_t at = 4 + count * 8;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t sizes[2];
    memcpy(sizes, pairs.data + 4 + i * 8, 8);
    answer.add(',').add_escaped(Text(pairs.data + at, sizes[0])).add(':');
    answer.add_escaped(Text(pairs.data + at + sizes[0] + 1, sizes[1]));
    at += sizes[0] + sizes[1] + 2;
  }
  if (status != 0) {
    report_status(call, action, status);
  } else {
    report(call, action, count > 0 && at != pairs.size ? Text("malformed") : answer.text());
  }
  free(const_cast<char*>(pairs.data));
}

void http_call(Call& call, const Action& action, AfterCall after) {
  // cluster|path|timeout|method|body
  Builder<512> headers;
  Builder<512> list;
  list.add(":method:")
      .add(action.d.empty() ? Text("GET") : action.d)
      .add(",:path:")
      .add(action.b.empty() ? Text("/") : action.b);
  list.add(",:authority:").add(action.a).add(",x-probe-call:1");
  build_pairs(headers, list.text());
  uint32_t id = 0;
  const Text block = headers.text();
  const uint32_t status = proxy_http_call(action.a.address(), action.a.size, block.address(),
                                          block.size, action.e.address(), action.e.size, 0, 0,
                                          action.c.number(1000), address_of(&id));
  report_status(call, action, status);
  if (status != 0) return;
  call.context->call_id = id;
  call.context->after_call = after;
  call.context->resume_type = call.stream();
  if (after != AfterCall::kNothing) call.result = 1;
}

void reply(const Action& action, const Text& code, const Text& body, const Text& headers) {
  Builder<1024> pairs;
  build_pairs(pairs, headers);
  const Text block = pairs.text();
  const Text details = "probe reply";
  const uint32_t grpc = action.d.empty() ? 0xFFFFFFFF : action.d.number();
  proxy_send_local_response(code.number(200), details.address(), details.size, body.address(),
                            body.size, block.address(), block.size, grpc);
}

}  // namespace

bool act_on_headers(Call& call, const Action& action) {
  const uint32_t map = or_else(action.target, call.map());
  const Text& key = action.a;
  if (action.name == "get") {
    Handed value;
    const uint32_t status =
        proxy_get_header_map_value(map, key.address(), key.size, value.data_at(), value.size_at());
    report_handed(call, action, status, value);
  } else if (action.name == "set") {
    report_status(call, action,
                  proxy_replace_header_map_value(map, key.address(), key.size, action.b.address(),
                                                 action.b.size));
  } else if (action.name == "add") {
    report_status(call, action,
                  proxy_add_header_map_value(map, key.address(), key.size, action.b.address(),
                                             action.b.size));
  } else if (action.name == "remove") {
    report_status(call, action, proxy_remove_header_map_value(map, key.address(), key.size));
  } else if (action.name == "pairs") {
    report_pairs(call, action);
  } else if (action.name == "set_pairs") {
    Builder<2048> pairs;
    build_pairs(pairs, action.arguments);
    const Text block = pairs.text();
    report_status(call, action, proxy_set_header_map_pairs(map, block.address(), block.size));
  } else if (action.name == "map_size") {
    uint32_t size = 0;
    const uint32_t status = proxy_get_header_map_size(map, address_of(&size));
    report_number(call, action, status, size);
  } else {
    return false;
  }
  return true;
}

bool act_on_body(Call& call, const Action& action) {
  const uint32_t buffer = or_else(action.target, call.buffer());
  const auto set = [&](uint32_t offset, uint32_t length, const Text& text) {
    report_status(call, action,
                  proxy_set_buffer_bytes(buffer, offset, length, text.address(), text.size));
  };
  if (action.name == "body_get") {
    Handed bytes;
    const uint32_t status = proxy_get_buffer_bytes(buffer, action.a.number(),
                                                   action.b.number(0xFFFFFFFF - action.a.number()),
                                                   bytes.data_at(), bytes.size_at());
    report_handed(call, action, status, bytes);
  } else if (action.name == "body_status") {
    uint32_t length = 0;
    uint32_t flags = 0;
    const uint32_t status =
        proxy_get_buffer_status(buffer, address_of(&length), address_of(&flags));
    report_number(call, action, status, length);
  } else if (action.name == "body_replace") {
    set(0, 0x7FFFFFFF, action.a);
  } else if (action.name == "body_append") {
    set(0x7FFFFFFF, 0, action.a);
  } else if (action.name == "body_prepend") {
    set(0, 0, action.a);
  } else if (action.name == "body_middle") {
    set(action.a.number(), action.b.number(), action.c);
  } else if (action.name == "body_clear") {
    set(0, 0xFFFFFFFF, {});
  } else if (action.name == "body_fill") {
    const uint32_t size = action.a.number();
    auto* bytes = static_cast<char*>(malloc(size + 1));
    memset(bytes, 'x', size);
    set(0, 0x7FFFFFFF, Text(bytes, size));
    free(bytes);
  } else {
    return false;
  }
  return true;
}

bool act_on_stream(Call& call, const Action& action) {
  if (action.name == "pause") {
    call.result = 1;
  } else if (action.name == "return") {
    call.result = action.a.number();
  } else if (action.name == "pause_until_tick" || action.name == "pause_then_tick_resume") {
    call.context->resume_on_tick = true;
    call.context->resume_type = call.stream();
    call.result = 1;
    report_status(call, action, proxy_set_tick_period_milliseconds(action.a.number(10)));
  } else if (action.name == "pause_until_call") {
    http_call(call, action, AfterCall::kResume);
  } else if (action.name == "reply_from_call") {
    http_call(call, action, AfterCall::kReply);
  } else if (action.name == "http_call") {
    http_call(call, action, AfterCall::kNothing);
  } else if (action.name == "pause_until_end") {
    call.result = call.end != 0 ? 0 : 1;
  } else if (action.name == "continue") {
    report_status(call, action, proxy_continue_stream(or_else(action.target, call.stream())));
  } else if (action.name == "close") {
    report_status(call, action, proxy_close_stream(or_else(action.target, call.stream())));
  } else if (action.name == "reply") {
    reply(action, action.a, action.b, action.c);
    call.result = 1;
  } else if (action.name == "reply_and_continue") {
    reply(action, action.a, action.b, action.c);
    call.result = 0;
  } else if (action.name == "reply_fill") {
    const uint32_t size = action.b.number();
    auto* bytes = static_cast<char*>(malloc(size + 1));
    memset(bytes, 'x', size);
    reply(action, action.a, Text(bytes, size), {});
    free(bytes);
    call.result = 1;
  } else if (action.name == "reply_twice") {
    reply(action, "201", "first", {});
    reply(action, "202", "second", {});
    call.result = 1;
  } else if (action.name == "effective") {
    report_status(call, action,
                  proxy_set_effective_context(action.a == Text("root") ? call.context->parent
                                                                       : action.a.number()));
  } else {
    return false;
  }
  return true;
}

namespace {

bool act_on_properties(Call& call, const Action& action) {
  if (action.name == "set_prop") {
    const auto path = path_of(action.a, false);
    report_status(
        call, action,
        proxy_set_property(address_of(path.bytes), path.size, action.b.address(), action.b.size));
    return true;
  }
  if (!action.name.starts_with("prop")) return false;
  const auto path = path_of(action.a, action.name == "prop_nul");
  Handed value;
  const uint32_t status =
      proxy_get_property(address_of(path.bytes), path.size, value.data_at(), value.size_at());
  if (action.name == "prop_int" && status == 0) {
    uint64_t number = 0;
    memcpy(&number, value.data, value.size < 8 ? value.size : 8);
    report_number(call, action, value.size == 8 ? 0 : 99, number);
  } else if (action.name == "prop_bool" && status == 0) {
    report(call, action,
           value.size != 1      ? Text("wrong_size")
           : value.data[0] != 0 ? Text("ok:true")
                                : Text("ok:false"));
  } else if (action.name == "prop" || action.name == "prop_nul" || status != 0) {
    report_handed(call, action, status, value);
  } else {
    return false;
  }
  return true;
}

bool act_on_log(Call& call, const Action& action) {
  if (action.name == "log") {
    log_text(action.a.number(kInfo), action.b);
  } else if (action.name == "log_flood") {
    for (uint32_t i = 0; i < action.a.number(); ++i)
      log_text(kInfo, action.b.empty() ? Text("probe: flood") : action.b);
    report(call, action, "ok");
  } else if (action.name == "log_raw") {
    log_text(kWarn, Text("probe: raw \n\r\t\0\x1b[31m\xff end", 24));
  } else if (action.name == "log_big") {
    const uint32_t size = action.a.number();
    auto* bytes = static_cast<char*>(malloc(size + 1));
    memset(bytes, 'L', size);
    report_status(call, action, proxy_log(kInfo, address_of(bytes), size));
    free(bytes);
  } else if (action.name == "log_level") {
    uint32_t level = 99;
    const uint32_t status = proxy_get_log_level(address_of(&level));
    report_number(call, action, status, level);
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool act_on_host(Call& call, const Action& action) {
  if (act_on_properties(call, action) || act_on_log(call, action)) return true;
  if (action.name == "tick") {
    report_status(call, action, proxy_set_tick_period_milliseconds(action.a.number()));
  } else if (action.name == "time") {
    uint64_t time = 0;
    const uint32_t status = proxy_get_current_time_nanoseconds(address_of(&time));
    report_number(call, action, status, time);
  } else if (action.name == "proxy_done") {
    report_status(call, action, proxy_done());
  } else if (action.name == "get_status") {
    uint32_t code = 0;
    Handed message;
    proxy_get_status(address_of(&code), message.data_at(), message.size_at());
    Builder<256> answer;
    answer.add("ok:").add_number(code).add(':').add_escaped(message.text());
    report(call, action, answer.text());
  } else if (action.name == "foreign") {
    Handed result;
    const uint32_t status =
        proxy_call_foreign_function(action.a.address(), action.a.size, action.b.address(),
                                    action.b.size, result.data_at(), result.size_at());
    report_handed(call, action, status, result);
  } else if (action.name == "params") {
    Builder<64> answer;
    answer.add("size:").add_number(call.size).add(",end:").add_number(call.end);
    report(call, action, answer.text());
  } else if (action.name == "ids") {
    Builder<64> answer;
    answer.add("id:").add_number(call.context->id).add(",parent:").add_number(call.context->parent);
    report(call, action, answer.text());
  } else if (action.name == "streams") {
    report_number(call, action, 0, streams_created);
  } else {
    return false;
  }
  return true;
}

}  // namespace probe
