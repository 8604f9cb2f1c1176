// Contexts of sdk_surface: streams, connections, callouts. See sdk_surface.h and README.md.
#include "sdk_surface.h"

#include <memory>
#include <utility>

START_WASM_PLUGIN(sdk_surface)

namespace {

// A message as protobuf libraries have them, as far as the SDK is concerned.
struct Message {
  std::string bytes;
  bool SerializeToString(std::string* out) const {
    *out = bytes;
    return bytes != "bad";
  }
  bool ParseFromArray(const void* data, int size) {
    bytes.assign(static_cast<const char*>(data), static_cast<size_t>(size));
    return true;
  }
};

class SurfaceRoot : public RootContext {
 public:
  explicit SurfaceRoot(uint32_t id, StringView root_id) : RootContext(id, root_id) {}

  bool validateConfiguration(size_t) override { return true; }
  bool onStart(size_t vm_configuration_size) override {
    vm_configuration_ =
        getBufferBytes(WasmBufferType::VmConfiguration, 0, vm_configuration_size)->toString();
    return true;
  }
  bool onConfigure(size_t configuration_size) override {
    configuration_ = getBufferBytes(WasmBufferType::PluginConfiguration, 0, configuration_size);
    CHECK_RESULT(registerSharedQueue("surface", &queue_));
    proxy_set_tick_period_milliseconds(10);
    return true;
  }
  void onTick() override {
    ++ticks_;
    proxy_set_tick_period_milliseconds(0);
  }
  void onQueueReady(uint32_t token) override {
    WasmDataPtr data;
    while (token == queue_ && dequeueSharedQueue(token, &data) == WasmResult::Ok) {
      LOG_DEBUG(std::string("queue: ") + data->toString());
      queued_ += data->size();
    }
  }
  bool onDone() override {
    LOG_INFO("root done");
    done();  // tells that it is ready, before it has said that it is not
    return true;
  }
  void onLog() override {}
  void onDelete() override {}
  void onForeignFunction(uint32_t, uint32_t) override {}

  std::string summary() const {
    return "ticks=" + std::to_string(ticks_) + " queued=" + std::to_string(queued_) +
           " vm=" + vm_configuration_ + " plugin=" + configuration_->toString() +
           " streams=" + std::to_string(streams);
  }
  uint32_t queue() const { return queue_; }
  int streams = 0;

 private:
  std::string vm_configuration_;
  WasmDataPtr configuration_;
  uint32_t queue_ = 0;
  int ticks_ = 0;
  size_t queued_ = 0;
};

// A root that has the low level for itself.
class LowLevelRoot : public RootContext {
 public:
  using RootContext::RootContext;
  void onHttpCallResponse(uint32_t token, uint32_t headers, size_t body_size,
                          uint32_t trailers) override {
    if (Context* stream = getContext(waiting); stream != nullptr && token == call) {
      stream->setEffectiveContext();
      sendLocalResponse(
          200 + static_cast<uint32_t>(trailers), "low level",
          "headers " + std::to_string(headers > 0) + " body " + std::to_string(body_size),
          {{"x-sdk", "low"}});
    }
  }
  void onGrpcReceiveInitialMetadata(uint32_t, uint32_t) override {}
  void onGrpcReceiveTrailingMetadata(uint32_t, uint32_t) override {}
  void onGrpcReceive(uint32_t, size_t) override {}
  void onGrpcClose(uint32_t, GrpcStatus) override {}
  uint32_t waiting = 0, call = 0;
};

class LowLevelStream : public Context {
 public:
  using Context::Context;
  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    auto* low = static_cast<LowLevelRoot*>(root());
    low->waiting = id();
    const auto result =
        makeHttpCall("origin", {{":method", "GET"}, {":path", "/low"}, {":authority", "a"}}, "", {},
                     1000, &low->call);
    return result == WasmResult::Ok ? FilterHeadersStatus::StopAllIterationAndBuffer
                                    : FilterHeadersStatus::Continue;
  }
};

// Both kinds of gRPC handlers; the events change the stream's summary.
class Call : public GrpcCallHandler<Message> {
 public:
  explicit Call(std::string* log) : log_(log) {}
  void onSuccess(size_t size) override { *log_ += " call:" + std::to_string(size); }
  void onFailure(GrpcStatus status) override {
    *log_ += " failed:" + std::to_string(static_cast<int>(status));
    cancel();
  }

 private:
  std::string* log_;
};
class Stream : public GrpcStreamHandler<Message, Message> {
 public:
  explicit Stream(std::string* log) : log_(log) {}
  void onReceiveInitialMetadata(uint32_t) override { *log_ += " initial"; }
  void onReceive(size_t size) override {
    *log_ += " message:" + std::to_string(size);
    send(Message{"more"}, true);
  }
  void onReceiveTrailingMetadata(uint32_t) override { *log_ += " trailing"; }
  void onRemoteClose(GrpcStatus status) override {
    *log_ += " closed:" + std::to_string(static_cast<int>(status));
    reset();
  }

 private:
  std::string* log_;
};

std::string grpc_log;  // outlives every stream, as callbacks of the root may

class SurfaceStream : public Context {
 public:
  explicit SurfaceStream(uint32_t id, RootContext* root) : Context(id, root) {}

  void onCreate() override { ++surface()->streams; }
  FilterHeadersStatus onRequestHeaders(uint32_t headers, bool end_of_stream) override;
  FilterMetadataStatus onRequestMetadata(uint32_t) override {
    return FilterMetadataStatus::Continue;
  }
  FilterDataStatus onRequestBody(size_t size, bool end_of_stream) override {
    size_t left = 0;
    uint32_t flags = 0;
    checks_.that(getBufferStatus(WasmBufferType::HttpRequestBody, &left, &flags) == WasmResult::Ok,
                 "body status");
    if (!end_of_stream) return FilterDataStatus::StopIterationAndBuffer;
    checks_.that(left == size, "body size");
    const auto body = getBufferBytes(WasmBufferType::HttpRequestBody, 0, size);
    setBuffer(WasmBufferType::HttpRequestBody, size, 0, "!", &left);
    checks_.that(left == size + 1, "new body size");
    return FilterDataStatus::Continue;
  }
  FilterTrailersStatus onRequestTrailers(uint32_t) override {
    addRequestTrailer("x-sdk-trailer", "1");
    checks_.that(getRequestTrailer("x-sdk-trailer")->view() == "1", "request trailer");
    replaceRequestTrailer("x-sdk-trailer", "2");
    size_t size = 0;
    checks_.that(getRequestTrailerSize(&size) == WasmResult::Ok && size > 0, "trailer size");
    checks_.that(!getRequestTrailerPairs()->pairs().empty(), "trailer pairs");
    checks_.that(setRequestTrailerPairs({{"x-set", "1"}}) == WasmResult::Ok, "set trailers");
    removeRequestTrailer("x-set");
    return FilterTrailersStatus::Continue;
  }
  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override;
  FilterMetadataStatus onResponseMetadata(uint32_t) override {
    return FilterMetadataStatus::Continue;
  }
  FilterDataStatus onResponseBody(size_t, bool) override { return FilterDataStatus::Continue; }
  FilterTrailersStatus onResponseTrailers(uint32_t) override {
    addResponseTrailer("x-sdk-trailer", "1");
    replaceResponseTrailer("x-sdk-trailer", getResponseTrailer("x-sdk-trailer")->toString() + "2");
    size_t size = 0;
    getResponseTrailerSize(&size);
    const auto pairs = getResponseTrailerPairs();
    HeaderStringPairs all;
    for (const auto& [name, value] : pairs->pairs())
      all.emplace_back(std::string(name), std::string(value));
    setResponseTrailerPairs(all);
    removeResponseTrailer("x-gone");
    return FilterTrailersStatus::Continue;
  }
  void onDone() override { LOG_TRACE("stream done"); }
  void onLog() override {
    LogLevel level = LogLevel::Max;
    if (getLogLevel(&level) != WasmResult::Ok) LOG_ERROR("no log level");
  }
  void onDelete() override { --surface()->streams; }

 private:
  SurfaceRoot* surface() { return static_cast<SurfaceRoot*>(root()); }
  bool ask();
  void start_grpc();
  void start_grpc_with_origin(const std::string& what);
  Checks checks_;
};

FilterHeadersStatus SurfaceStream::onRequestHeaders(uint32_t headers, bool) {
  const auto pairs = getRequestHeaderPairs();
  checks_.that(pairs->pairs().size() == headers, "header count");
  checks_.that(getContext(id()) == this && getContextBase(id()) == this, "context by id");
  checks_.that(getRootContext(root()->id()) == root() && getRoot(root()->root_id()) == root(),
               "root by id");
  checks_.that(asContext() == this && asRoot() == nullptr && root()->asRoot() == root(), "as");
  check_values(checks_);
  check_headers(checks_);
  check_stores(checks_);
  check_metrics(checks_);
  check_properties(checks_);
  checks_.that(enqueueSharedQueue(surface()->queue(), "item") == WasmResult::Ok, "enqueue");
  const std::string what = getRequestHeader("x-sdk")->toString();
  if (what == "grpc") start_grpc();
  if (what == "unary" || what == "stream") start_grpc_with_origin(what);
  if (what == "reply") {
    sendLocalResponse(418, "by the sdk", "tea", {{"x-tea", "yes"}}, GrpcStatus::Unavailable);
    return FilterHeadersStatus::StopIteration;
  }
  if (what == "call" && ask()) return FilterHeadersStatus::StopAllIterationAndWatermark;
  return FilterHeadersStatus::Continue;
}

bool SurfaceStream::ask() {
  const uint32_t stream = id();
  const auto result = root()->httpCall(
      "origin", {{":method", "POST"}, {":path", "/called"}, {":authority", "a"}}, "question",
      {{"x-end", "1"}}, 1000, [stream](uint32_t headers, size_t body_size, uint32_t) {
        const auto body = getBufferBytes(WasmBufferType::HttpCallResponseBody, 0, body_size);
        const auto status =
            getHeaderMapValue(WasmHeaderMapType::HttpCallResponseHeaders, ":status");
        Context* context = getContext(stream);
        if (context == nullptr) return;
        context->setEffectiveContext();
        addRequestHeader("x-sdk-answer", std::to_string(headers > 0) + " " + status->toString() +
                                             " " + body->toString());
        if (getStatus().first != 0) LOG_WARN("status " + std::to_string(getStatus().first));
        continueRequest();
      });
  checks_.that(result == WasmResult::Ok, "httpCall: " + toString(result));
  return result == WasmResult::Ok;
}

// Whether gRPC is there depends on the host and the cluster: every way of asking, and no trap.
void SurfaceStream::start_grpc() {
  const HeaderStringPairs metadata = {{"x-meta", "1"}};
  auto note = [](WasmResult result) { grpc_log += " " + toString(result); };
  note(root()->grpcSimpleCall("nowhere", "s", "m", metadata, "bytes", 100,
                              [](GrpcStatus, size_t) { grpc_log += " simple"; }));
  note(root()->grpcSimpleCall(
      "nowhere", "s", "m", metadata, Message{"bytes"}, 100, [](size_t) { grpc_log += " good"; },
      [](GrpcStatus) { grpc_log += " bad"; }));
  checks_.that(
      root()->grpcSimpleCall("nowhere", "s", "m", metadata, Message{"bad"}, 100,
                             [](GrpcStatus, size_t) {}) == WasmResult::SerializationFailure,
      "message that cannot be written");
  note(root()->grpcCallHandler("nowhere", "s", "m", metadata, Message{"bytes"}, 100,
                               std::make_unique<Call>(&grpc_log)));
  note(root()->grpcStreamHandler("nowhere", "s", "m", metadata,
                                 std::make_unique<Stream>(&grpc_log)));
  checks_.that(grpcSend(1, "x", false) != WasmResult::Ok, "send to no stream");
  checks_.that(grpcClose(1) != WasmResult::Ok, "close no stream");
  checks_.that(grpcCancel(1) != WasmResult::Ok, "cancel no stream");
  Stream unused(&grpc_log);
  checks_.that(unused.context() == nullptr && unused.token() == 0, "handler without a stream");
  checks_.that(unused.send(Message{"bad"}, true) == WasmResult::SerializationFailure,
               "bad message");
}

// The handlers' events are in the answers to later requests.
void SurfaceStream::start_grpc_with_origin(const std::string& what) {
  const HeaderStringPairs metadata = {{"x-meta", "1"}};
  const auto result = what == "unary"
                          ? root()->grpcCallHandler("origin", "s", "m", metadata, Message{"ask"},
                                                    5000, std::make_unique<Call>(&grpc_log))
                          : root()->grpcStreamHandler("origin", "s", "m", metadata,
                                                      std::make_unique<Stream>(&grpc_log));
  checks_.that(result == WasmResult::Ok, what + ": " + toString(result));
}

FilterHeadersStatus SurfaceStream::onResponseHeaders(uint32_t, bool) {
  addResponseHeader("x-sdk-checks", checks_.text());
  addResponseHeader("x-sdk-root", surface()->summary());
  if (!grpc_log.empty()) addResponseHeader("x-sdk-grpc", grpc_log);
  addResponseHeader("x-gone", "1");
  removeResponseHeader("x-gone");
  replaceResponseHeader("x-sdk-replaced", getResponseHeader(":status")->toString());
  size_t size = 0;
  if (getResponseHeaderSize(&size) != WasmResult::Ok || size == 0) LOG_ERROR("no header size");
  HeaderStringPairs all;
  const auto held = getResponseHeaderPairs();
  for (const auto& [name, value] : held->pairs())
    all.emplace_back(std::string(name), std::string(value));
  all.emplace_back("x-sdk-all", "1");
  setResponseHeaderPairs(all);
  return FilterHeadersStatus::Continue;
}

// Of TCP: bytes are counted, "close" ends the connection.
class Connection : public Context {
 public:
  using Context::Context;
  FilterStatus onNewConnection() override { return FilterStatus::Continue; }
  FilterStatus onDownstreamData(size_t size, bool) override {
    const auto data = getBufferBytes(WasmBufferType::NetworkDownstreamData, 0, size);
    if (data->view() == "close") closeDownstream();
    if (data->view() == "upstream") closeUpstream();
    if (size > 0) setBuffer(WasmBufferType::NetworkDownstreamData, 0, 0, "> ");
    return FilterStatus::Continue;
  }
  FilterStatus onUpstreamData(size_t, bool) override { return FilterStatus::Continue; }
  void onDownstreamConnectionClose(CloseType type) override {
    if (type == CloseType::Remote) continueUpstream();
  }
  void onUpstreamConnectionClose(CloseType) override { continueDownstream(); }
};

static RegisterContextFactory register_surface(CONTEXT_FACTORY(SurfaceStream),
                                               ROOT_FACTORY(SurfaceRoot), "surface");
static RegisterContextFactory register_low(CONTEXT_FACTORY(LowLevelStream),
                                           ROOT_FACTORY(LowLevelRoot), "low");
static RegisterContextFactory register_connection(CONTEXT_FACTORY(Connection), "connection");
static RegisterContextFactory register_service(ROOT_FACTORY(RootContext), "service");

}  // namespace

WASM_EXPORT(uint32_t, surface_export, (uint32_t value)) { return value + 1; }

END_WASM_PLUGIN
