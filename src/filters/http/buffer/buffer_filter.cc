#include "filters/http/buffer/buffer_filter.h"

#include <limits>
#include <string>

namespace weir::filters {

namespace {

/// Bytes that a request's body may have; 0: the filter is off.
struct Settings {
  size_t max_request_bytes = 0;
};

size_t read_limit(ConfigView& config) {
  if (!config.has("max_request_bytes")) {
    config.missing("max_request_bytes");
    return 1;
  }
  return static_cast<size_t>(
      config.integer("max_request_bytes", 1, 1, std::numeric_limits<uint32_t>::max()));
}

class BufferFilter final : public HttpFilter {
 public:
  explicit BufferFilter(const Settings& settings) : settings_(settings) {}

  Flow on_request_head(RequestHead&, EndStream end) override {
    if (end == EndStream::kYes) return Flow::kContinue;
    const void* own = callbacks_->route_config();
    const Settings& settings = own != nullptr ? *static_cast<const Settings*>(own) : settings_;
    if (settings.max_request_bytes == 0) return Flow::kContinue;
    // Over it the driver answers 413.
    callbacks_->set_buffer_limit(Direction::kRequest, settings.max_request_bytes);
    buffering_ = true;
    return Flow::kPauseHead;
  }

  Flow on_request_body(Buffer& data, EndStream end) override {
    if (!buffering_) return Flow::kContinue;
    if (end == EndStream::kNo) return Flow::kBuffer;
    if (data.size() > callbacks_->buffer_limit(Direction::kRequest)) return Flow::kBuffer;
    // A length tells the upstream at once what comes. Trailers need the chunked form, so that nothing is set before them.
    RequestHead& head = *callbacks_->request_head();
    if (!head.headers.has(HeaderId::kContentLength))
      head.headers.set(HeaderId::kContentLength, std::to_string(data.size()));
    return Flow::kContinue;
  }

 private:
  const Settings& settings_;
  bool buffering_ = false;
};

class Factory final : public HttpFilterFactory {
 public:
  explicit Factory(size_t limit) : settings_{limit} {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<BufferFilter>(settings_);
  }
  std::string_view route_config_type() const noexcept override {
    return "envoy.extensions.filters.http.buffer.v3.BufferPerRoute";
  }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    auto out = std::make_unique<Settings>();
    const std::string_view field =
        config.one_of({"disabled", "buffer"}, ConfigView::Required::kYes);
    if (field == "disabled" && !config.boolean("disabled", true))
      config.error("disabled", "can only be true");
    if (auto own = field == "buffer" ? config.message("buffer") : nullptr)
      out->max_request_bytes = read_limit(*own);
    return out;
  }

 private:
  const Settings settings_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_buffer(ConfigView& config, FactoryContext&) {
  return std::make_shared<const Factory>(read_limit(config));
}

}  // namespace weir::filters
