#include "filters/http/compressor/settings.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "filters/common/fraction.h"

namespace weir::filters {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

/// Envoy's default list.
const std::vector<std::string>& default_types() {
  static const std::vector<std::string> kTypes = {"application/ecmascript",
                                                  "application/javascript",
                                                  "application/json",
                                                  "application/x-javascript",
                                                  "application/x-json",
                                                  "application/xhtml+xml",
                                                  "application/xml",
                                                  "image/svg+xml",
                                                  "text/css",
                                                  "text/ecmascript",
                                                  "text/html",
                                                  "text/javascript",
                                                  "text/js",
                                                  "text/jscript",
                                                  "text/plain",
                                                  "text/x-javascript",
                                                  "text/x-js",
                                                  "text/xml"};
  return kTypes;
}

std::vector<std::string> sorted_types(const std::vector<std::string>& given) {
  if (given.empty()) return default_types();
  std::vector<std::string> out;
  for (const std::string& type : given) out.push_back(lower(type));
  std::sort(out.begin(), out.end());
  return out;
}

void read_common(ConfigView& direction, CompressorDirection& out) {
  auto common = direction.message("common_config");
  if (!common) return;
  out.enabled = read_runtime_flag(*common, "enabled", out.enabled);
  out.min_content_length = static_cast<uint64_t>(
      common->integer("min_content_length", 30, 0, std::numeric_limits<uint32_t>::max()));
  out.content_types = sorted_types(common->texts("content_type"));
}

std::vector<int> read_codes(ConfigView& direction) {
  std::vector<int> out;
  for (const std::string& text : direction.texts("uncompressible_response_codes")) {
    int code = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
    if (error != std::errc() || end != text.data() + text.size() || code < 200 || code > 599)
      direction.error("uncompressible_response_codes",
                      "\"" + text + "\" is no status of a response");
    out.push_back(code);
  }
  return out;
}

void read_response(ConfigView& direction, CompressorSettings& out) {
  read_common(direction, out.response);
  out.disable_on_etag_header = direction.boolean("disable_on_etag_header", false);
  out.weaken_etag_on_compress = direction.boolean("weaken_etag_on_compress", false);
  if (out.disable_on_etag_header && out.weaken_etag_on_compress)
    direction.error("weaken_etag_on_compress", "cannot be given beside \"disable_on_etag_header\"");
  out.remove_accept_encoding_header = direction.boolean("remove_accept_encoding_header", false);
  out.status_header_enabled = direction.boolean("status_header_enabled", false);
  out.uncompressible_response_codes = read_codes(direction);
}

/// The fields that stood at the top before there were directions.
void read_deprecated(ConfigView& config, CompressorSettings& out) {
  for (const char* field : {"content_length", "content_type", "disable_on_etag_header",
                            "remove_accept_encoding_header", "runtime_enabled"})
    if (out.has_response_config && config.has(field))
      config.error(field, "deprecated, and cannot be given beside \"response_direction_config\"");
  const auto length = config.integer("content_length", 30, 0, std::numeric_limits<uint32_t>::max());
  const auto types = config.texts("content_type");
  const bool etag = config.boolean("disable_on_etag_header", false);
  const bool remove = config.boolean("remove_accept_encoding_header", false);
  const bool enabled = read_runtime_flag(config, "runtime_enabled", true);
  if (out.has_response_config) return;
  out.response.min_content_length = static_cast<uint64_t>(length);
  out.response.content_types = sorted_types(types);
  out.response.enabled = enabled;
  out.disable_on_etag_header = etag;
  out.remove_accept_encoding_header = remove;
}

}  // namespace

bool CompressorDirection::takes_type(const HeaderMap& headers) const {
  const auto value = headers.get(HeaderId::kContentType);
  if (!value) return true;
  std::string_view type = value->substr(0, value->find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  const std::string wanted = lower(type);
  return std::binary_search(content_types.begin(), content_types.end(), wanted);
}

CompressorSettings read_compressor(ConfigView& config) {
  CompressorSettings out;
  out.library = read_compressor_library(config);
  out.request.enabled = false;
  out.request.content_types = out.response.content_types = default_types();
  auto response = config.message("response_direction_config");
  out.has_response_config = response != nullptr;
  if (response) read_response(*response, out);
  // A request direction that is there is on, unless it says otherwise.
  if (auto request = config.message("request_direction_config")) {
    out.request.enabled = true;
    read_common(*request, out.request);
  }
  read_deprecated(config, out);
  out.choose_first = config.boolean("choose_first", false);
  return out;
}

std::shared_ptr<const CompressorRoute> read_compressor_route(ConfigView& config) {
  auto out = std::make_unique<CompressorRoute>();
  const auto kind = config.one_of({"disabled", "overrides"}, ConfigView::Required::kYes);
  if (kind == "disabled") {
    if (!config.boolean("disabled", true)) config.error("disabled", "can only be true");
    out->disabled = true;
  }
  auto overrides = kind == "overrides" ? config.message("overrides") : nullptr;
  if (!overrides) return out;
  if (auto response = overrides->message("response_direction_config")) {
    out->enables_response = true;
    if (response->has("remove_accept_encoding_header"))
      out->remove_accept_encoding_header =
          response->boolean("remove_accept_encoding_header", false);
  }
  if (overrides->has("compressor_library")) out->library = read_compressor_library(*overrides);
  return out;
}

}  // namespace weir::filters
