#include <weir/value_format.h>

#include <utility>

#include "stream/format.h"

namespace weir {

stream::FormatContext stream::context_of(FilterCallbacks& stream) {
  FormatContext context{stream.stream_info()};
  context.request = stream.request_head();
  context.response = stream.response_head();
  context.response_trailers = stream.response_trailers();
  context.now = std::chrono::steady_clock::now();
  return context;
}

struct ValueFormat::Private {
  stream::Format format;
};

ValueFormat::ValueFormat() = default;
ValueFormat::~ValueFormat() = default;
ValueFormat::ValueFormat(const ValueFormat&) = default;
ValueFormat& ValueFormat::operator=(const ValueFormat&) = default;

Result<ValueFormat> ValueFormat::compile(std::string_view text) {
  WEIR_TRY(format, stream::Format::compile(text));
  ValueFormat out;
  out.private_ = std::make_shared<const Private>(Private{std::move(format)});
  return out;
}

void ValueFormat::append(FilterCallbacks& stream, std::string& out) const {
  if (private_ == nullptr) return;
  private_->format.append(stream::context_of(stream), out, stream::Format::Escape::kNo, true);
}

const std::string& ValueFormat::source() const noexcept {
  static const std::string empty;
  return private_ == nullptr ? empty : private_->format.source();
}

}  // namespace weir
