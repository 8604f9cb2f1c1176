// Directives and report of the probe guest.
#include "probe.h"

namespace probe {

uint32_t streams_created = 0;

namespace {

Action parse(Text text) {
  Action action{};
  action.name = text.cut('|');
  action.target = kNoTarget;
  Text name = action.name;
  const Text plain = name.cut('@');
  if (!name.empty()) action.target = name.number(kNoTarget);
  action.name = plain;
  action.arguments = text;
  Text* const parts[] = {&action.a, &action.b, &action.c, &action.d, &action.e};
  for (Text* part : parts) *part = text.cut('|');
  return action;
}

bool act(Call& call, const Action& action) {
  return act_on_headers(call, action) || act_on_body(call, action) || act_on_stream(call, action) ||
         act_on_store(call, action) || act_on_metrics(call, action) || act_on_host(call, action) ||
         act_on_grpc(call, action) || act_on_wasi(call, action) || act_badly(call, action);
}

}  // namespace

void run_directives(Call& call, Text directives) {
  while (!directives.empty()) {
    Text directive = directives.cut(';');
    while (!directive.empty() && (directive.data[0] == ' ' || directive.data[0] == '\n'))
      directive = directive.from(1);
    const Text where = directive.cut('=');
    if (directive.empty() || !(where == call.where)) continue;
    const Action action = parse(directive);
    if (!act(call, action)) report(call, action, "unknown_action");
  }
}

void report(Call& call, const Action& action, const Text& answer) {
  Builder<2048> line;
  line.add(call.where).add('.').add(action.name).add('=').add(answer);
  Builder<2100> message;
  message.add("probe: ").add(line.text());
  log_text(kInfo, message.text());
  call.context->report.add(line.text()).add('\n');
}

void report_status(Call& call, const Action& action, uint32_t status) {
  Builder<32> answer;
  if (status == 0) {
    answer.add("ok");
  } else {
    answer.add("status:").add_number(status);
  }
  report(call, action, answer.text());
}

void report_handed(Call& call, const Action& action, uint32_t status, const Handed& handed) {
  if (status != 0) {
    report_status(call, action, status);
    return;
  }
  Builder<1024> answer;
  answer.add("ok:").add_escaped(handed.text());
  report(call, action, answer.text());
  free(const_cast<char*>(handed.data));
}

void report_number(Call& call, const Action& action, uint32_t status, uint64_t number) {
  if (status != 0) {
    report_status(call, action, status);
    return;
  }
  Builder<64> answer;
  answer.add("ok:").add_number(number);
  report(call, action, answer.text());
}

void publish(Context& context) {
  Text rest = context.report.text();
  const Text key = "x-probe";
  while (!rest.empty()) {
    const Text line = rest.cut('\n');
    proxy_add_header_map_value(2, key.address(), key.size, line.address(), line.size);
  }
  context.report.size = 0;
}

void finish_call(Context& context, uint32_t headers, uint32_t size, uint32_t trailers) {
  Handed body;
  Handed status;
  uint32_t code = 0;
  Handed message;
  const Text key = ":status";
  proxy_get_header_map_value(6, key.address(), key.size, status.data_at(), status.size_at());
  if (size > 0) proxy_get_buffer_bytes(4, 0, size, body.data_at(), body.size_at());
  proxy_get_status(address_of(&code), message.data_at(), message.size_at());

  Builder<1024> answer;
  answer.add("headers:")
      .add_number(headers)
      .add(",body:")
      .add_number(size)
      .add(",trailers:")
      .add_number(trailers);
  answer.add(",status:")
      .add_escaped(status.text())
      .add(",code:")
      .add_number(code)
      .add(",message:")
      .add_escaped(message.text());
  answer.add(",text:").add_escaped(body.text());
  Action action{};
  action.name = "answer";
  Call call{&context, "http_call_response", size, 0, 0};
  report(call, action, answer.text());

  proxy_set_effective_context(context.id);
  if (context.after_call == AfterCall::kResume) proxy_continue_stream(context.resume_type);
  if (context.after_call == AfterCall::kReply) {
    const Text details = "probe_callout";
    const Text text = body.text();
    proxy_send_local_response(headers == 0 ? 502 : 200, details.address(), details.size,
                              text.address(), text.size, 0, 0, 0xFFFFFFFF);
  }
  context.after_call = AfterCall::kNothing;
}

}  // namespace probe
