// Masks the values of configured JSON members in request and response bodies while they stream through. See README.md for
// the options. Each chunk is rewritten where it lies and goes on at once: no body is ever buffered here.
#include <optional>

#include "common/options.h"
#include "mask_body/json_masker.h"
#include "proxy_wasm_intrinsics.h"

namespace {

using weir_filter::JsonMasker;

constexpr std::string_view kKnownOptions[] = {"fields",        "mask",        "direction",
                                              "content_types", "ignore_case", "encoded"};
constexpr std::string_view kDefaultTypes[] = {"application/json", "text/json",
                                              "application/x-ndjson", "+json"};

std::string_view media_type(std::string_view content_type) {
  return weir_filter::Options::trim(content_type.substr(0, content_type.find(';')));
}

bool same_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    const auto lower = [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    };
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

class MaskBodyRoot : public RootContext {
 public:
  using RootContext::RootContext;

  bool onConfigure(size_t configuration_size) override {
    const auto text = getBufferBytes(WasmBufferType::PluginConfiguration, 0, configuration_size);
    weir_filter::Options options;
    if (!options.parse(text->view())) return reject(options.error());
    if (const auto unknown = options.first_unknown(kKnownOptions); !unknown.empty()) {
      return reject("unknown option \"" + std::string(unknown) + "\"");
    }
    rules_.names = options.list("fields");
    if (rules_.names.empty()) return reject("\"fields\" must name at least one member");
    rules_.mask = options.get("mask", "***");
    if (!weir_filter::is_header_value(rules_.mask) ||
        rules_.mask.find_first_of("\"\\\t") != std::string::npos) {
      return reject("\"mask\" must need no escape in JSON");
    }
    rules_.ignore_case = options.flag("ignore_case", false);
    const std::string_view direction = options.get("direction", "both");
    if (direction != "both" && direction != "request" && direction != "response") {
      return reject("\"direction\" must be request, response or both");
    }
    masks_request_ = direction != "response";
    masks_response_ = direction != "request";
    const std::string_view encoded = options.get("encoded", "reject");
    if (encoded != "reject" && encoded != "pass")
      return reject("\"encoded\" must be reject or pass");
    rejects_encoded_ = encoded == "reject";
    types_ = options.list("content_types");
    if (types_.empty()) types_.assign(std::begin(kDefaultTypes), std::end(kDefaultTypes));
    defineMetric(MetricType::Counter, "mask_body.values_masked", &counter_);
    return true;
  }

  const weir_filter::MaskRules& rules() const { return rules_; }
  bool masks_request() const { return masks_request_; }
  bool masks_response() const { return masks_response_; }
  bool rejects_encoded() const { return rejects_encoded_; }

  bool is_masked_type(std::string_view content_type) const {
    const std::string_view type = media_type(content_type);
    for (const auto& wanted : types_) {
      if (wanted == "*") return true;
      const bool suffix = wanted.front() == '+' && type.size() > wanted.size();
      if (same_ignoring_case(suffix ? type.substr(type.size() - wanted.size()) : type, wanted))
        return true;
    }
    return false;
  }

  void count(uint64_t values) const {
    if (values > 0) incrementMetric(counter_, static_cast<int64_t>(values));
  }

 private:
  static bool reject(const std::string& why) {
    LOG_ERROR("mask_body: configuration: " + why);
    return false;
  }

  weir_filter::MaskRules rules_;
  std::vector<std::string> types_;
  bool masks_request_ = true;
  bool masks_response_ = true;
  bool rejects_encoded_ = true;
  uint32_t counter_ = 0;
};

class MaskBody : public Context {
 public:
  using Context::Context;

  FilterHeadersStatus onRequestHeaders(uint32_t, bool end_of_stream) override {
    if (options().masks_response()) {
      // A compressed body could not be read, and a part of a body could begin inside a value.
      removeRequestHeader("accept-encoding");
      removeRequestHeader("range");
    }
    if (!options().masks_request() || end_of_stream) return FilterHeadersStatus::Continue;
    return start(WasmHeaderMapType::RequestHeaders, request_, 415,
                 "The request body must not be encoded.\n");
  }

  FilterDataStatus onRequestBody(size_t body_size, bool) override {
    mask(WasmBufferType::HttpRequestBody, request_, body_size);
    return FilterDataStatus::Continue;
  }

  FilterHeadersStatus onResponseHeaders(uint32_t, bool end_of_stream) override {
    if (!options().masks_response() || end_of_stream) return FilterHeadersStatus::Continue;
    return start(WasmHeaderMapType::ResponseHeaders, response_, 502,
                 "The response body is encoded.\n");
  }

  FilterDataStatus onResponseBody(size_t body_size, bool) override {
    mask(WasmBufferType::HttpResponseBody, response_, body_size);
    return FilterDataStatus::Continue;
  }

  void onLog() override {
    uint64_t values = 0;
    if (request_) values += request_->masked();
    if (response_) values += response_->masked();
    options().count(values);
  }

 private:
  const MaskBodyRoot& options() const { return *static_cast<const MaskBodyRoot*>(root()); }

  // Looks at a head and prepares the masker of its body if that is JSON. It reads the whole map, because a getter shows only
  // the first of several fields of one name, and behind that another could hide.
  FilterHeadersStatus start(WasmHeaderMapType map, std::optional<JsonMasker>& masker,
                            uint32_t refusal, std::string_view why) {
    const auto head = getHeaderMapPairs(map);
    bool masked_type = false;
    bool encoded = false;
    for (const auto& [name, value] : head->pairs()) {
      if (name == "content-type") masked_type = masked_type || options().is_masked_type(value);
      if (name == "content-encoding")
        encoded = encoded || !(value.empty() || same_ignoring_case(value, "identity"));
    }
    if (!masked_type) return FilterHeadersStatus::Continue;
    if (encoded) {
      if (!options().rejects_encoded()) return FilterHeadersStatus::Continue;
      sendLocalResponse(refusal, "mask_body_encoded", why, {});
      return FilterHeadersStatus::StopIteration;
    }
    masker.emplace(options().rules());
    // The length and every digest of the body change with it.
    for (const std::string_view name :
         {"content-length", "content-md5", "digest", "content-digest", "repr-digest", "etag"}) {
      removeHeaderMapValue(map, name);
    }
    return FilterHeadersStatus::Continue;
  }

  void mask(WasmBufferType buffer, std::optional<JsonMasker>& masker, size_t body_size) {
    if (!masker || body_size == 0) return;
    const auto body = getBufferBytes(buffer, 0, body_size);
    std::string masked;
    masked.reserve(body->size() + 16);
    masker->feed(body->view(), masked);
    if (masked != body->view()) setBuffer(buffer, 0, body->size(), masked);
  }

  std::optional<JsonMasker> request_;
  std::optional<JsonMasker> response_;
};

RegisterContextFactory register_mask_body(CONTEXT_FACTORY(MaskBody), ROOT_FACTORY(MaskBodyRoot));

}  // namespace
