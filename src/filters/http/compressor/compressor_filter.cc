#include "filters/http/compressor/compressor_filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "filters/common/tokens.h"
#include "filters/http/compressor/accept_encoding.h"
#include "filters/http/compressor/settings.h"

namespace weir::filters {

namespace {

/// Where the compressors of a chain leave what they offer, so that one of them is chosen: "gzip,br+"; "+" is choose_first.
constexpr std::string_view kOffers = "envoy.filters.http.compressor";
constexpr size_t kMaxOffers = 8;

struct DirectionStats {
  explicit DirectionStats(StatsScope& scope)
      : compressed(scope.counter("compressed")),
        not_compressed(scope.counter("not_compressed")),
        uncompressed_bytes(scope.counter("total_uncompressed_bytes")),
        compressed_bytes(scope.counter("total_compressed_bytes")),
        too_small(scope.counter("content_length_too_small")) {}
  Counter &compressed, &not_compressed, &uncompressed_bytes, &compressed_bytes, &too_small;
};

struct ResponseStats : DirectionStats {
  explicit ResponseStats(StatsScope& scope)
      : DirectionStats(scope),
        no_accept_header(scope.counter("no_accept_header")),
        header_identity(scope.counter("header_identity")),
        header_compressor_used(scope.counter("header_compressor_used")),
        header_compressor_overshadowed(scope.counter("header_compressor_overshadowed")),
        header_wildcard(scope.counter("header_wildcard")),
        header_not_valid(scope.counter("header_not_valid")),
        not_compressed_etag(scope.counter("not_compressed_etag")) {}
  Counter &no_accept_header, &header_identity, &header_compressor_used,
      &header_compressor_overshadowed, &header_wildcard, &header_not_valid, &not_compressed_etag;
};

/// "compressor.<library>.<kind>.<direction>"; the response's has no direction where it is configured in the old form.
std::unique_ptr<StatsScope> scope_of(StatsScope& root, const CompressorSettings& settings,
                                     std::string_view direction) {
  std::string prefix = "compressor.";
  if (settings.library)
    prefix.append(settings.library->name).append(".").append(settings.library->stat_prefix);
  if (!direction.empty()) prefix.append(".").append(direction);
  return root.scope(prefix + ".");
}

struct Shared {
  Shared(CompressorSettings read, StatsScope& root)
      : settings(std::move(read)),
        request(*scope_of(root, settings, "request")),
        response(*scope_of(root, settings, settings.has_response_config ? "response" : "")) {}
  const CompressorSettings settings;
  const DirectionStats request;
  const ResponseStats response;
};

std::optional<uint64_t> length_of(const HeaderMap& headers) {
  const auto text = headers.get(HeaderId::kContentLength);
  if (!text) return std::nullopt;
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return length;
}

void add_vary(HeaderMap& headers) {
  if (has_token(headers, HeaderId::kVary, "accept-encoding") ||
      has_token(headers, HeaderId::kVary, "*"))
    return;
  const auto vary = headers.get(HeaderId::kVary);
  if (!vary || vary->empty()) return headers.set(HeaderId::kVary, "Accept-Encoding");
  headers.set(HeaderId::kVary, headers.joined("vary") + ", Accept-Encoding");
}

/// What has been coded is another representation: its strong etag would be a lie (RFC 9110 section 8.8.1).
void change_etag(HeaderMap& headers, bool weaken) {
  const auto etag = headers.get(HeaderId::kEtag);
  if (!etag || etag->starts_with("W/") || etag->starts_with("w/")) return;
  if (!weaken) {
    headers.remove(HeaderId::kEtag);
    return;
  }
  headers.set(HeaderId::kEtag, "W/" + std::string(*etag));
}

/// One body on its way, with what it counts.
class Coding {
 public:
  void start(const CompressorLibrary& library, const DirectionStats& stats) {
    compressor_ = library.make();
    stats_ = &stats;
    stats.compressed.inc();
  }
  void run(Buffer& data, EndStream end) {
    if (!compressor_) return;
    stats_->uncompressed_bytes.add(data.size());
    compressor_->compress(data, end == EndStream::kYes ? Part::kLast : Part::kMore);
    stats_->compressed_bytes.add(data.size());
    if (end == EndStream::kYes) compressor_.reset();
  }
  /// What is left when trailers end the body.
  Buffer finish() {
    Buffer rest;
    run(rest, EndStream::kYes);
    return rest;
  }

 private:
  std::unique_ptr<Compressor> compressor_;
  const DirectionStats* stats_ = nullptr;
};

class CompressorFilter final : public HttpFilter {
 public:
  explicit CompressorFilter(const Shared& shared)
      : shared_(shared), settings_(shared.settings), library_(shared.settings.library.get()) {}

  Flow on_request_head(RequestHead& head, EndStream end) override {
    bool remove = settings_.remove_accept_encoding_header;
    response_enabled_ = settings_.response.enabled;
    if (const auto* own = static_cast<const CompressorRoute*>(callbacks_->route_config())) {
      if (own->disabled) return off();
      if (own->library) library_ = own->library.get();
      response_enabled_ = response_enabled_ || own->enables_response;
      remove = own->remove_accept_encoding_header.value_or(remove);
    }
    if (head.method() == "CONNECT") return off();  // a tunnel has no representations
    if (response_enabled_) {
      const auto accepted = head.headers.get(HeaderId::kAcceptEncoding);
      if (accepted) {
        accepted_ = head.headers.count("accept-encoding") == 1
                        ? *accepted
                        : head.headers.store(head.headers.joined("accept-encoding"));
        has_accepted_ = true;
        offer();
      }
      if (remove) head.headers.remove(HeaderId::kAcceptEncoding);
    }
    if (settings_.request.enabled && end == EndStream::kNo) start_request(head.headers);
    return Flow::kContinue;
  }
  Flow on_request_body(Buffer& data, EndStream end) override {
    request_.run(data, end);
    return Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap&) override {
    if (Buffer rest = request_.finish(); !rest.empty())
      callbacks_->add_request_body(std::move(rest));
    return Flow::kContinue;
  }

  Flow on_response_head(ResponseHead& head, EndStream end) override {
    if (!response_enabled_) return Flow::kContinue;
    HeaderMap& headers = head.headers;
    const std::string_view refusal = refuses(head);
    const bool small = refusal == kTooSmall;
    const bool compressible = refusal.empty() && !headers.has(HeaderId::kContentEncoding) &&
                              !has_token(headers, HeaderId::kCacheControl, "no-transform");
    // Whether the client takes it is counted for what is worth compressing alone.
    const bool wanted = end == EndStream::kNo && !small && accepts(compressible);
    if (wanted && compressible)
      start_response(headers);
    else
      shared_.response.not_compressed.inc();
    if (settings_.status_header_enabled && !refusal.empty() && (wanted || small))
      tell(headers, refusal);
    // Also where this client took no coding: another may, and caches have to know.
    if (compressible) add_vary(headers);
    return Flow::kContinue;
  }
  Flow on_response_body(Buffer& data, EndStream end) override {
    response_.run(data, end);
    return Flow::kContinue;
  }
  Flow on_response_trailers(HeaderMap&) override {
    if (Buffer rest = response_.finish(); !rest.empty())
      callbacks_->add_response_body(std::move(rest));
    return Flow::kContinue;
  }

 private:
  static constexpr std::string_view kTooSmall = "ContentLengthTooSmall";

  Flow off() {
    response_enabled_ = false;
    return Flow::kContinue;
  }

  void offer() {
    StreamInfo& info = callbacks_->stream_info();
    const std::string* before = info.filter_state(kOffers);
    std::string all = before != nullptr ? *before + "," : std::string();
    all.append(library_->encoding);
    if (settings_.choose_first) all += '+';
    info.set_filter_state(kOffers, all);
  }

  void start_request(HeaderMap& headers) {
    const auto length = length_of(headers);
    const bool small = length && *length < settings_.request.min_content_length;
    if (small) shared_.request.too_small.inc();
    if (!length || small || !settings_.request.takes_type(headers) ||
        headers.has(HeaderId::kContentEncoding)) {
      shared_.request.not_compressed.inc();
      return;
    }
    headers.remove(HeaderId::kContentLength);
    headers.set(HeaderId::kContentEncoding, library_->encoding);
    request_.start(*library_, shared_.request);
  }

  /// Why such a response is not compressed, in the words of the status header; empty if nothing speaks against it.
  std::string_view refuses(const ResponseHead& head) {
    const auto length = length_of(head.headers);
    if (length && *length < settings_.response.min_content_length) {
      shared_.response.too_small.inc();
      return kTooSmall;
    }
    if (!settings_.response.takes_type(head.headers)) return "ContentTypeNotAllowed";
    if (settings_.disable_on_etag_header && head.headers.has(HeaderId::kEtag)) {
      shared_.response.not_compressed_etag.inc();
      return "EtagNotAllowed";
    }
    const auto& codes = settings_.uncompressible_response_codes;
    // The ranges of a partial answer are those of what the upstream has, not of a coded form.
    if (head.status < 200 || head.status == 206 || head.headers.get("content-range") ||
        std::find(codes.begin(), codes.end(), head.status) != codes.end())
      return "StatusCodeNotAllowed";
    return {};
  }

  /// Whether the client likes this compressor's coding best.
  bool accepts(bool counted) const {
    const ResponseStats& stats = shared_.response;
    const auto count = [counted](Counter& counter) {
      if (counted) counter.inc();
    };
    if (!has_accepted_) return count(stats.no_accept_header), false;
    std::array<Offer, kMaxOffers> offers;
    const Choice choice = choose_encoding(accepted_, all_offers(offers));
    if (choice.why == Choice::Why::kIdentity) return count(stats.header_identity), false;
    if (choice.why == Choice::Why::kNotValid) return count(stats.header_not_valid), false;
    if (choice.encoding != library_->encoding)
      return count(stats.header_compressor_overshadowed), false;
    count(choice.why == Choice::Why::kWildcard ? stats.header_wildcard
                                               : stats.header_compressor_used);
    return true;
  }
  std::span<const Offer> all_offers(std::array<Offer, kMaxOffers>& room) const {
    const std::string* text = callbacks_->stream_info().filter_state(kOffers);
    size_t count = 0;
    for (std::string_view rest = text != nullptr ? *text : std::string_view();
         !rest.empty() && count < room.size();) {
      const size_t comma = rest.find(',');
      Offer& offer = room[count++];
      offer.encoding = rest.substr(0, comma);
      offer.choose_first = offer.encoding.ends_with('+');
      if (offer.choose_first) offer.encoding.remove_suffix(1);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    return {room.data(), count};
  }

  void start_response(HeaderMap& headers) {
    if (settings_.status_header_enabled) {
      std::string status = "Compressed";
      if (const auto length = headers.get(HeaderId::kContentLength))
        status.append(";OriginalLength=").append(*length);
      tell(headers, status);
    }
    change_etag(headers, settings_.weaken_etag_on_compress);
    headers.remove(HeaderId::kContentLength);
    headers.set(HeaderId::kContentEncoding, library_->encoding);
    response_.start(*library_, shared_.response);
  }

  void tell(HeaderMap& headers, std::string_view status) const {
    constexpr std::string_view kName = "x-envoy-compression-status";
    std::string value = headers.joined(kName);
    if (!value.empty()) value += ',';
    value.append(library_->encoding).append(";").append(status);
    headers.set(kName, value);
  }

  const Shared& shared_;
  const CompressorSettings& settings_;
  const CompressorLibrary* library_;
  std::string_view accepted_;  // in the request's head
  bool has_accepted_ = false;
  bool response_enabled_ = false;
  Coding request_, response_;
};

class Factory final : public HttpFilterFactory {
 public:
  Factory(CompressorSettings settings, StatsScope& scope) : shared_(std::move(settings), scope) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<CompressorFilter>(shared_);
  }
  std::string_view route_config_type() const noexcept override {
    return "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute";
  }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    return read_compressor_route(config);
  }

 private:
  const Shared shared_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_compressor(ConfigView& config,
                                                         FactoryContext& context) {
  return std::make_shared<const Factory>(read_compressor(config), context.stats);
}

}  // namespace weir::filters
