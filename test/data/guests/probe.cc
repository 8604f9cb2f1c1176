// A guest that does what it is told: README.md has the directives. It is told by its VM configuration (for `vm_start`), by
// its plugin configuration and, per stream, by the request header `x-do`; it answers in its log and in the response header
// `x-probe`.
#include "probe.h"

WEIR_EXPORT(malloc) void* probe_malloc(uint32_t size) { return malloc(size); }

namespace {

probe::Context* first_context = nullptr;

probe::Context* find(uint32_t id) {
  for (auto* context = first_context; context != nullptr; context = context->next) {
    if (context->id == id) return context;
  }
  return nullptr;
}

void forget(uint32_t id) {
  for (auto** link = &first_context; *link != nullptr; link = &(*link)->next) {
    if ((*link)->id != id) continue;
    auto* gone = *link;
    *link = gone->next;
    delete gone;
    return;
  }
}

probe::Text copy(const probe::Text& text) {
  auto* bytes = static_cast<char*>(malloc(text.size + 1));
  memcpy(bytes, text.data, text.size);
  return {bytes, text.size};
}

Text read_buffer(uint32_t buffer, uint32_t size) {
  Handed handed;
  if (size == 0 || proxy_get_buffer_bytes(buffer, 0, size, handed.data_at(), handed.size_at()) != 0)
    return {};
  return handed.text();
}

// Runs what the plugin configuration and then the stream's own header say for this callback.
uint32_t run(uint32_t id, const Text& where, uint32_t fallback, uint32_t size = 0,
             uint32_t end = 0) {
  auto* context = find(id);
  if (context == nullptr) {
    log_text(kError, "probe: callback for an unknown context");
    return fallback;
  }
  probe::Call call{context, where, size, end, fallback};
  auto* root = context->parent == 0 ? context : find(context->parent);
  if (root != nullptr) probe::run_directives(call, root->directives);
  if (context != root) probe::run_directives(call, context->directives);
  return call.result;
}

}  // namespace

namespace probe {

Context* find_grpc(uint32_t id) {
  for (auto* context = first_context; context != nullptr; context = context->next)
    for (const uint32_t each : context->grpc_ids)
      if (each == id) return context;
  return nullptr;
}

uint32_t run_in(uint32_t context, const Text& where, uint32_t size) {
  return run(context, where, 0, size);
}

}  // namespace probe

WEIR_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent) {
  auto* context = new probe::Context;
  context->id = id;
  context->parent = parent;
  context->next = first_context;
  first_context = context;
  if (parent != 0) {
    ++probe::streams_created;
    run(id, "context_create", 0);
  }
}

WEIR_EXPORT(proxy_on_vm_start) uint32_t on_vm_start(uint32_t id, uint32_t size) {
  auto* context = find(id);
  probe::Call call{context, "vm_start", size, 0, 1};
  probe::run_directives(call, read_buffer(6, size));
  return call.result;
}

WEIR_EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t id, uint32_t size) {
  find(id)->directives = read_buffer(7, size);
  return run(id, "configure", 1, size);
}

WEIR_EXPORT(proxy_on_tick) void on_tick(uint32_t id) {
  run(id, "tick", 0);
  for (auto* context = first_context; context != nullptr; context = context->next) {
    if (context->parent != id || !context->resume_on_tick) continue;
    context->resume_on_tick = false;
    proxy_set_effective_context(context->id);
    proxy_continue_stream(context->resume_type);
  }
}

WEIR_EXPORT(proxy_on_queue_ready) void on_queue_ready(uint32_t id, uint32_t queue) {
  run(id, "queue_ready", 0, queue);
}

WEIR_EXPORT(proxy_on_request_headers)
uint32_t on_request_headers(uint32_t id, uint32_t count, uint32_t end) {
  Handed handed;
  const Text key = "x-do";
  auto* context = find(id);
  if (context != nullptr && proxy_get_header_map_value(0, key.address(), key.size, handed.data_at(),
                                                       handed.size_at()) == 0) {
    context->directives = copy(handed.text());
    free(const_cast<char*>(handed.data));
  }
  return run(id, "request_headers", 0, count, end);
}
WEIR_EXPORT(proxy_on_request_body)
uint32_t on_request_body(uint32_t id, uint32_t size, uint32_t end) {
  return run(id, "request_body", 0, size, end);
}
WEIR_EXPORT(proxy_on_request_trailers) uint32_t on_request_trailers(uint32_t id, uint32_t count) {
  return run(id, "request_trailers", 0, count);
}
WEIR_EXPORT(proxy_on_response_headers)
uint32_t on_response_headers(uint32_t id, uint32_t count, uint32_t end) {
  const uint32_t result = run(id, "response_headers", 0, count, end);
  if (auto* context = find(id)) probe::publish(*context);
  return result;
}
WEIR_EXPORT(proxy_on_response_body)
uint32_t on_response_body(uint32_t id, uint32_t size, uint32_t end) {
  return run(id, "response_body", 0, size, end);
}
WEIR_EXPORT(proxy_on_response_trailers) uint32_t on_response_trailers(uint32_t id, uint32_t count) {
  return run(id, "response_trailers", 0, count);
}

WEIR_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t root, uint32_t call_id, uint32_t headers, uint32_t size,
                           uint32_t trailers) {
  run(root, "http_call_response", 0, size);
  for (auto* context = first_context; context != nullptr; context = context->next) {
    if (context->call_id != call_id || call_id == 0) continue;
    context->call_id = 0;
    probe::finish_call(*context, headers, size, trailers);
    return;
  }
  log_text(kInfo, "probe: http_call_response for a stream that has gone");
}

WEIR_EXPORT(proxy_on_done) uint32_t on_done(uint32_t id) { return run(id, "done", 1); }
WEIR_EXPORT(proxy_on_log) void on_log(uint32_t id) { run(id, "log", 0); }
WEIR_EXPORT(proxy_on_delete) void on_delete(uint32_t id) {
  run(id, "delete", 0);
  forget(id);
}
