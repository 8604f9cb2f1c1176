#include "filters/http/decompressor/decompressor_filter.h"

#include <string>
#include <utility>
#include <weir/header_options.h>

#include "filters/common/fraction.h"
#include "filters/common/tokens.h"
#include "filters/http/compression/codec.h"

namespace weir::filters {

namespace {

struct DirectionSettings {
  bool enabled = true;
  bool ignore_no_transform = false;
};

struct Settings {
  std::shared_ptr<const DecompressorLibrary> library;  // null after an error
  DirectionSettings request, response;
  bool advertise_accept_encoding = true;
  std::string compressed_trailer, uncompressed_trailer;
};

DirectionSettings read_direction(ConfigView* direction) {
  DirectionSettings out;
  auto common = direction != nullptr ? direction->message("common_config") : nullptr;
  if (!common) return out;
  out.enabled = read_runtime_flag(*common, "enabled", true);
  out.ignore_no_transform = common->boolean("ignore_no_transform_header", false);
  return out;
}

Settings read_settings(ConfigView& config) {
  Settings out;
  out.library = read_decompressor_library(config);
  auto request = config.message("request_direction_config");
  out.request = read_direction(request.get());
  if (request) out.advertise_accept_encoding = request->boolean("advertise_accept_encoding", true);
  auto response = config.message("response_direction_config");
  out.response = read_direction(response.get());
  if (!out.library) return out;
  // The name becomes part of a header's.
  const std::string prefix = changeable_header_name(config, "decompressor_library",
                                                    "x-envoy-decompressor-" + out.library->name);
  out.compressed_trailer = prefix + "-compressed-bytes";
  out.uncompressed_trailer = prefix + "-uncompressed-bytes";
  return out;
}

struct DirectionStats {
  explicit DirectionStats(StatsScope& scope)
      : decompressed(scope.counter("decompressed")),
        not_decompressed(scope.counter("not_decompressed")),
        uncompressed_bytes(scope.counter("total_uncompressed_bytes")),
        compressed_bytes(scope.counter("total_compressed_bytes")) {}
  Counter &decompressed, &not_decompressed, &uncompressed_bytes, &compressed_bytes;
};

struct Shared {
  Shared(Settings read, StatsScope& root) : Shared(std::move(read), root, "decompressor.") {}
  const Settings settings;
  const DirectionStats request, response;
  Counter& errors;

 private:
  Shared(Settings read, StatsScope& root, std::string prefix)
      : settings(std::move(read)),
        request(*root.scope(with_library(prefix) + "request.")),
        response(*root.scope(prefix + "response.")),
        errors(
            root.counter(prefix + "decompressor_library." +
                         std::string(settings.library ? settings.library->error_stat : "error"))) {}
  const std::string& with_library(std::string& prefix) const {
    if (settings.library)
      prefix.append(settings.library->name).append(".").append(settings.library->stat_prefix);
    return prefix += '.';
  }
};

/// The last coding of content-encoding, which is the outermost (RFC 9110 section 8.4).
std::string_view outermost(std::string_view list) noexcept {
  const size_t comma = list.rfind(',');
  return trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

void remove_outermost(HeaderMap& headers, std::string_view list) {
  const size_t comma = list.rfind(',');
  if (comma == std::string_view::npos)
    headers.remove(HeaderId::kContentEncoding);
  else
    headers.set(HeaderId::kContentEncoding, std::string(trim(list.substr(0, comma))));
}

/// One body on its way.
class Decoding {
 public:
  /// Starts if the message is one for it; its head is then that of the decoded message.
  void maybe_start(HeaderMap& headers, EndStream end, const Settings& settings,
                   const DirectionSettings& direction, const DirectionStats& stats) {
    if (!direction.enabled) return;
    const std::string list = headers.joined("content-encoding");
    const bool forbidden = !direction.ignore_no_transform &&
                           has_token(headers, HeaderId::kCacheControl, "no-transform");
    if (end == EndStream::kYes || forbidden ||
        !is_token(outermost(list), settings.library->encoding))
      return stats.not_decompressed.inc();
    remove_outermost(headers, list);
    headers.remove(HeaderId::kContentLength);
    decompressor_ = settings.library->make();
    stats_ = &stats;
    stats.decompressed.inc();
  }
  bool active() const noexcept { return decompressor_ != nullptr; }
  Decoded run(Buffer& data, Part part) {
    compressed_ += data.size();
    stats_->compressed_bytes.add(data.size());
    const Decoded result = decompressor_->decompress(data, part);
    uncompressed_ += data.size();
    stats_->uncompressed_bytes.add(data.size());
    if (part == Part::kLast || result != Decoded::kOk) decompressor_.reset();
    return result;
  }
  void report(const Settings& settings, HeaderMap& trailers) const {
    trailers.set(settings.compressed_trailer, std::to_string(compressed_));
    trailers.set(settings.uncompressed_trailer, std::to_string(uncompressed_));
  }

 private:
  std::unique_ptr<Decompressor> decompressor_;
  const DirectionStats* stats_ = nullptr;
  uint64_t compressed_ = 0, uncompressed_ = 0;
};

class DecompressorFilter final : public HttpFilter {
 public:
  explicit DecompressorFilter(const Shared& shared) : shared_(shared), settings_(shared.settings) {}

  Flow on_request_head(RequestHead& head, EndStream end) override {
    if (head.method() == "CONNECT") {  // a tunnel has no representations
      tunnel_ = true;
      return Flow::kContinue;
    }
    if (settings_.response.enabled && settings_.advertise_accept_encoding) advertise(head.headers);
    request_.maybe_start(head.headers, end, settings_, settings_.request, shared_.request);
    return Flow::kContinue;
  }
  Flow on_request_body(Buffer& data, EndStream end) override {
    if (!request_.active()) return Flow::kContinue;
    const bool last = end == EndStream::kYes;
    const Decoded result = request_.run(data, last ? Part::kLast : Part::kMore);
    if (result != Decoded::kOk) return refuse_request(result);
    if (last) request_.report(settings_, callbacks_->add_request_trailers());
    return Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap& trailers) override {
    if (!request_.active()) return Flow::kContinue;
    Buffer rest;
    const Decoded result = request_.run(rest, Part::kLast);
    if (result != Decoded::kOk) return refuse_request(result);
    request_.report(settings_, trailers);
    return Flow::kContinue;
  }

  Flow on_response_head(ResponseHead& head, EndStream end) override {
    // The pieces of a partial answer are those of the coded form.
    if (tunnel_ || head.status < 200 || head.status == 206) return Flow::kContinue;
    response_.maybe_start(head.headers, end, settings_, settings_.response, shared_.response);
    return Flow::kContinue;
  }
  Flow on_response_body(Buffer& data, EndStream end) override {
    if (!response_.active()) return Flow::kContinue;
    const bool last = end == EndStream::kYes;
    if (response_.run(data, last ? Part::kLast : Part::kMore) != Decoded::kOk)
      return cut_response();
    if (last) response_.report(settings_, callbacks_->add_response_trailers());
    return Flow::kContinue;
  }
  Flow on_response_trailers(HeaderMap& trailers) override {
    if (!response_.active()) return Flow::kContinue;
    Buffer rest;
    if (response_.run(rest, Part::kLast) != Decoded::kOk) return cut_response();
    response_.report(settings_, trailers);
    return Flow::kContinue;
  }

 private:
  void advertise(HeaderMap& headers) const {
    std::string all = headers.joined("accept-encoding");
    for (std::string_view rest = all; !rest.empty();) {
      std::string_view item = cut(rest, ',');
      if (is_token(cut(item, ';'), settings_.library->encoding)) return;
    }
    if (!all.empty()) all += ',';
    headers.set(HeaderId::kAcceptEncoding, all.append(settings_.library->encoding));
  }

  Flow refuse_request(Decoded result) {
    shared_.errors.inc();
    LocalReply reply;
    reply.status = result == Decoded::kTooMuch ? 413 : 400;
    reply.body = result == Decoded::kTooMuch ? "Payload Too Large" : "Bad Request";
    reply.details =
        result == Decoded::kTooMuch ? "decompressor_ratio_exceeded" : "decompressor_invalid_body";
    callbacks_->reply(std::move(reply));
    return Flow::kReplied;
  }
  /// Its head is on its way to the client: what follows must not look whole.
  Flow cut_response() {
    shared_.errors.inc();
    callbacks_->reset("decompressor_invalid_body");
    return Flow::kReplied;
  }

  const Shared& shared_;
  const Settings& settings_;
  Decoding request_, response_;
  bool tunnel_ = false;
};

class Factory final : public HttpFilterFactory {
 public:
  Factory(Settings settings, StatsScope& scope) : shared_(std::move(settings), scope) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<DecompressorFilter>(shared_);
  }

 private:
  const Shared shared_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_decompressor(ConfigView& config,
                                                           FactoryContext& context) {
  return std::make_shared<const Factory>(read_settings(config), context.stats);
}

}  // namespace weir::filters
