// Expressions through the foreign functions of Envoy. The plugin's configuration is one, made when the plugin is configured; each
// request may bring another in x-expression, which lives as long as the stream. The answer says what they come to.
#include <cstring>
#include <string>

#include "proxy_wasm_intrinsics.h"

namespace {

// What a call of a foreign function answers: "<status>" or "<value>".
std::string answer_of(WasmResult status, const WasmDataPtr& data) {
  return status == WasmResult::Ok ? data->toString() : "status " + toString(status);
}

bool make(StringView source, std::string* token) {
  WasmDataPtr data;
  const WasmResult status = callForeignFunction("expr_create", source, &data);
  *token = answer_of(status, data);
  return status == WasmResult::Ok && token->size() == sizeof(uint32_t);
}

std::string evaluate(const std::string& token) {
  WasmDataPtr data;
  const WasmResult status = callForeignFunction("expr_evaluate", token, &data);
  return answer_of(status, data);
}

class Root : public RootContext {
 public:
  explicit Root(uint32_t id, StringView root_id) : RootContext(id, root_id) {}
  bool onConfigure(size_t size) override {
    return make(getBufferBytes(WasmBufferType::PluginConfiguration, 0, size)->view(), &token_);
  }
  const std::string& token() const { return token_; }

 private:
  std::string token_;
};

class Stream : public Context {
 public:
  explicit Stream(uint32_t id, RootContext* root) : Context(id, root) {}
  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    configured_ = evaluate(static_cast<Root*>(root())->token());
    const auto source = getRequestHeader("x-expression");
    if (source->size() > 0 && make(source->view(), &token_))
      asked_ = evaluate(token_);
    else
      asked_ = token_;
    return FilterHeadersStatus::Continue;
  }
  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    addResponseHeader("x-configured", configured_ == "\1" ? "true" : configured_);
    addResponseHeader("x-asked", asked_ == "\1" ? "true" : asked_);
    if (token_.size() != sizeof(uint32_t)) return FilterHeadersStatus::Continue;
    addResponseHeader("x-later", evaluate(token_));
    WasmDataPtr none;
    callForeignFunction("expr_delete", token_, &none);
    addResponseHeader("x-deleted", evaluate(token_));
    return FilterHeadersStatus::Continue;
  }

 private:
  std::string configured_, asked_, token_;
};

RegisterContextFactory register_expressions(CONTEXT_FACTORY(Stream), ROOT_FACTORY(Root));

}  // namespace
