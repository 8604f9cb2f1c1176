// The guest's side of the ABI: contexts by number, and the exported callbacks that find the context and call it. A number
// the module does not know is the host's fault; the callback then does nothing and lets traffic pass.
#include "proxy_wasm_intrinsics.h"

#include <cstdlib>

namespace {

struct Factories {
  ContextFactory context = nullptr;
  RootFactory root = nullptr;
};

// Function-local statics: RegisterContextFactory objects of other files run before this file's initialisers might.
std::unordered_map<std::string, Factories>& registry() {
  static std::unordered_map<std::string, Factories> factories;
  return factories;
}

std::unordered_map<uint32_t, std::unique_ptr<ContextBase>>& contexts() {
  static std::unordered_map<uint32_t, std::unique_ptr<ContextBase>> by_id;
  return by_id;
}

const Factories* factories_for(std::string_view root_id) {
  auto& known = registry();
  if (auto found = known.find(std::string(root_id)); found != known.end()) return &found->second;
  if (auto found = known.find(""); found != known.end()) return &found->second;
  return nullptr;
}

ContextBase* find(uint32_t id) {
  const auto found = contexts().find(id);
  return found == contexts().end() ? nullptr : found->second.get();
}

RootContext* find_root(uint32_t id) {
  ContextBase* context = find(id);
  return context == nullptr ? nullptr : context->asRoot();
}

std::unique_ptr<ContextBase> make_root(uint32_t id) {
  std::string root_id;
  getValue({"plugin_root_id"}, &root_id);
  const Factories* factories = factories_for(root_id);
  if (factories == nullptr) LOG_WARN("no filter is registered for root_id \"" + root_id + "\"");
  if (factories == nullptr || factories->root == nullptr)
    return std::make_unique<RootContext>(id, root_id);
  return factories->root(id, root_id);
}

std::unique_ptr<ContextBase> make_stream(uint32_t id, RootContext* root) {
  const Factories* factories = root == nullptr ? nullptr : factories_for(root->root_id());
  if (factories == nullptr || factories->context == nullptr)
    return std::make_unique<Context>(id, root);
  return factories->context(id, root);
}

// Calls a method of a stream's context; `fallback` if there is none.
template <typename Result, typename... Parameters, typename... Arguments>
Result on_stream(uint32_t id, Result fallback, Result (Context::*method)(Parameters...),
                 Arguments... arguments) {
  ContextBase* context = find(id);
  if (context == nullptr || context->asContext() == nullptr) return fallback;
  return (context->asContext()->*method)(arguments...);
}

}  // namespace

RegisterContextFactory::RegisterContextFactory(ContextFactory context_factory,
                                               RootFactory root_factory, std::string_view root_id) {
  registry()[std::string(root_id)] = Factories{std::move(context_factory), std::move(root_factory)};
}
RegisterContextFactory::RegisterContextFactory(RootFactory root_factory, std::string_view root_id) {
  registry()[std::string(root_id)] = Factories{nullptr, std::move(root_factory)};
}
RegisterContextFactory::RegisterContextFactory(ContextFactory context_factory,
                                               std::string_view root_id) {
  registry()[std::string(root_id)] = Factories{std::move(context_factory), nullptr};
}

Context* getContext(uint32_t context_id) {
  ContextBase* context = find(context_id);
  return context == nullptr ? nullptr : context->asContext();
}

RootContext* getRootContext(uint32_t context_id) { return find_root(context_id); }
ContextBase* getContextBase(uint32_t context_id) { return find(context_id); }

RootContext* getRoot(std::string_view root_id) {
  for (auto& [id, context] : contexts()) {
    if (RootContext* root = context->asRoot(); root != nullptr && root->root_id() == root_id)
      return root;
  }
  return nullptr;
}

// --- exports -----------------------------------------------------------------------------------------------------------

PROXY_WASM_EXPORT(proxy_abi_version_0_2_1) void weir_sdk_abi_version() {}

// Blocks that the host hands over are freed by WasmData, hence the libc allocator.
PROXY_WASM_EXPORT(malloc) void* weir_sdk_malloc(size_t size) { return ::malloc(size); }

PROXY_WASM_EXPORT(proxy_on_context_create)
void proxy_on_context_create(uint32_t id, uint32_t parent_id) {
  auto created = parent_id == 0 ? make_root(id) : make_stream(id, find_root(parent_id));
  ContextBase* context = created.get();
  contexts()[id] = std::move(created);
  context->onCreate();
}

PROXY_WASM_EXPORT(proxy_on_vm_start)
uint32_t proxy_on_vm_start(uint32_t id, uint32_t configuration_size) {
  RootContext* root = find_root(id);
  return root != nullptr && root->onStart(configuration_size) ? 1 : 0;
}
PROXY_WASM_EXPORT(proxy_validate_configuration)
uint32_t proxy_validate_configuration(uint32_t id, uint32_t configuration_size) {
  RootContext* root = find_root(id);
  return root != nullptr && root->validateConfiguration(configuration_size) ? 1 : 0;
}
PROXY_WASM_EXPORT(proxy_on_configure)
uint32_t proxy_on_configure(uint32_t id, uint32_t configuration_size) {
  RootContext* root = find_root(id);
  return root != nullptr && root->onConfigure(configuration_size) ? 1 : 0;
}
PROXY_WASM_EXPORT(proxy_on_tick) void proxy_on_tick(uint32_t id) {
  if (RootContext* root = find_root(id)) root->onTick();
}
PROXY_WASM_EXPORT(proxy_on_queue_ready) void proxy_on_queue_ready(uint32_t id, uint32_t token) {
  if (RootContext* root = find_root(id)) root->onQueueReady(token);
}
PROXY_WASM_EXPORT(proxy_on_foreign_function)
void proxy_on_foreign_function(uint32_t id, uint32_t foreign_function_id, uint32_t arguments_size) {
  if (ContextBase* context = find(id))
    context->onForeignFunction(foreign_function_id, arguments_size);
}

PROXY_WASM_EXPORT(proxy_on_new_connection) FilterStatus proxy_on_new_connection(uint32_t id) {
  return on_stream(id, FilterStatus::Continue, &Context::onNewConnection);
}
PROXY_WASM_EXPORT(proxy_on_downstream_data)
FilterStatus proxy_on_downstream_data(uint32_t id, uint32_t size, uint32_t end) {
  return on_stream(id, FilterStatus::Continue, &Context::onDownstreamData, size, end != 0);
}
PROXY_WASM_EXPORT(proxy_on_upstream_data)
FilterStatus proxy_on_upstream_data(uint32_t id, uint32_t size, uint32_t end) {
  return on_stream(id, FilterStatus::Continue, &Context::onUpstreamData, size, end != 0);
}
PROXY_WASM_EXPORT(proxy_on_downstream_connection_close)
void proxy_on_downstream_connection_close(uint32_t id, CloseType type) {
  if (Context* context = getContext(id)) context->onDownstreamConnectionClose(type);
}
PROXY_WASM_EXPORT(proxy_on_upstream_connection_close)
void proxy_on_upstream_connection_close(uint32_t id, CloseType type) {
  if (Context* context = getContext(id)) context->onUpstreamConnectionClose(type);
}

PROXY_WASM_EXPORT(proxy_on_request_headers)
FilterHeadersStatus proxy_on_request_headers(uint32_t id, uint32_t headers, uint32_t end) {
  return on_stream(id, FilterHeadersStatus::Continue, &Context::onRequestHeaders, headers,
                   end != 0);
}
PROXY_WASM_EXPORT(proxy_on_request_metadata)
FilterMetadataStatus proxy_on_request_metadata(uint32_t id, uint32_t elements) {
  return on_stream(id, FilterMetadataStatus::Continue, &Context::onRequestMetadata, elements);
}
PROXY_WASM_EXPORT(proxy_on_request_body)
FilterDataStatus proxy_on_request_body(uint32_t id, uint32_t size, uint32_t end) {
  return on_stream(id, FilterDataStatus::Continue, &Context::onRequestBody, size, end != 0);
}
PROXY_WASM_EXPORT(proxy_on_request_trailers)
FilterTrailersStatus proxy_on_request_trailers(uint32_t id, uint32_t trailers) {
  return on_stream(id, FilterTrailersStatus::Continue, &Context::onRequestTrailers, trailers);
}
PROXY_WASM_EXPORT(proxy_on_response_headers)
FilterHeadersStatus proxy_on_response_headers(uint32_t id, uint32_t headers, uint32_t end) {
  return on_stream(id, FilterHeadersStatus::Continue, &Context::onResponseHeaders, headers,
                   end != 0);
}
PROXY_WASM_EXPORT(proxy_on_response_metadata)
FilterMetadataStatus proxy_on_response_metadata(uint32_t id, uint32_t elements) {
  return on_stream(id, FilterMetadataStatus::Continue, &Context::onResponseMetadata, elements);
}
PROXY_WASM_EXPORT(proxy_on_response_body)
FilterDataStatus proxy_on_response_body(uint32_t id, uint32_t size, uint32_t end) {
  return on_stream(id, FilterDataStatus::Continue, &Context::onResponseBody, size, end != 0);
}
PROXY_WASM_EXPORT(proxy_on_response_trailers)
FilterTrailersStatus proxy_on_response_trailers(uint32_t id, uint32_t trailers) {
  return on_stream(id, FilterTrailersStatus::Continue, &Context::onResponseTrailers, trailers);
}

PROXY_WASM_EXPORT(proxy_on_http_call_response)
void proxy_on_http_call_response(uint32_t id, uint32_t call_id, uint32_t headers,
                                 uint32_t body_size, uint32_t trailers) {
  if (RootContext* root = find_root(id))
    root->onHttpCallResponse(call_id, headers, body_size, trailers);
}
PROXY_WASM_EXPORT(proxy_on_grpc_receive_initial_metadata)
void proxy_on_grpc_receive_initial_metadata(uint32_t id, uint32_t call_id, uint32_t headers) {
  if (RootContext* root = find_root(id)) root->onGrpcReceiveInitialMetadata(call_id, headers);
}
PROXY_WASM_EXPORT(proxy_on_grpc_receive_trailing_metadata)
void proxy_on_grpc_receive_trailing_metadata(uint32_t id, uint32_t call_id, uint32_t trailers) {
  if (RootContext* root = find_root(id)) root->onGrpcReceiveTrailingMetadata(call_id, trailers);
}
PROXY_WASM_EXPORT(proxy_on_grpc_receive)
void proxy_on_grpc_receive(uint32_t id, uint32_t call_id, uint32_t body_size) {
  if (RootContext* root = find_root(id)) root->onGrpcReceive(call_id, body_size);
}
PROXY_WASM_EXPORT(proxy_on_grpc_close)
void proxy_on_grpc_close(uint32_t id, uint32_t call_id, GrpcStatus status) {
  if (RootContext* root = find_root(id)) root->onGrpcClose(call_id, status);
}

PROXY_WASM_EXPORT(proxy_on_done) uint32_t proxy_on_done(uint32_t id) {
  ContextBase* context = find(id);
  return context == nullptr || context->onDoneBase() ? 1 : 0;
}
PROXY_WASM_EXPORT(proxy_on_log) void proxy_on_log(uint32_t id) {
  if (ContextBase* context = find(id)) context->onLog();
}
PROXY_WASM_EXPORT(proxy_on_delete) void proxy_on_delete(uint32_t id) {
  if (ContextBase* context = find(id)) context->onDelete();
  contexts().erase(id);
}
