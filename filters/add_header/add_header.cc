// Adds one header to each response and sets one on each request. See README.md for the options.
#include "common/options.h"
#include "proxy_wasm_intrinsics.h"

namespace {

constexpr std::string_view kKnownOptions[] = {"name", "value", "request_name", "request_value"};

class AddHeaderRoot : public RootContext {
 public:
  using RootContext::RootContext;

  bool onConfigure(size_t configuration_size) override {
    const auto text = getBufferBytes(WasmBufferType::PluginConfiguration, 0, configuration_size);
    weir_filter::Options options;
    if (!options.parse(text->view())) return reject("configuration: " + options.error());
    if (const auto unknown = options.first_unknown(kKnownOptions); !unknown.empty()) {
      return reject("configuration: unknown option \"" + std::string(unknown) + "\"");
    }
    name_ = options.get("name", "x-weir-filter");
    value_ = options.get("value", "hello");
    request_name_ = options.get("request_name", name_);
    request_value_ = options.get("request_value", value_);
    if (!usable(name_, value_) || !usable(request_name_, request_value_))
      return reject("configuration: bad header name or value");
    return true;
  }

  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  const std::string& request_name() const { return request_name_; }
  const std::string& request_value() const { return request_value_; }

 private:
  // An empty name switches that direction off.
  static bool usable(std::string_view name, std::string_view value) {
    return name.empty() ||
           (weir_filter::is_header_name(name) && weir_filter::is_header_value(value));
  }

  static bool reject(const std::string& why) {
    LOG_ERROR("add_header: " + why);
    return false;
  }

  std::string name_;
  std::string value_;
  std::string request_name_;
  std::string request_value_;
};

class AddHeader : public Context {
 public:
  using Context::Context;

  // Replaces on the request: a client must not be able to forge the header.
  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    const auto& options = *static_cast<const AddHeaderRoot*>(root());
    if (!options.request_name().empty())
      replaceRequestHeader(options.request_name(), options.request_value());
    return FilterHeadersStatus::Continue;
  }

  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    const auto& options = *static_cast<const AddHeaderRoot*>(root());
    if (!options.name().empty()) addResponseHeader(options.name(), options.value());
    return FilterHeadersStatus::Continue;
  }
};

RegisterContextFactory register_add_header(CONTEXT_FACTORY(AddHeader), ROOT_FACTORY(AddHeaderRoot));

}  // namespace
