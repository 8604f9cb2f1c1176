#include "filters/http/decompressor/decompressor_filter.h"

#include "filters/http/compression/codec.h"
#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

constexpr char kGzip[] =
    "type.googleapis.com/envoy.extensions.compression.gzip.decompressor.v3.Gzip";

Object gzip(Object fields = {}, const char* name = "small") {
  fields.insert_or_assign("decompressor_library",
                          Object{{"name", name}, {"typed_config", Object{{"@type", kGzip}}}});
  return fields;
}

class DecompressorTest : public FilterTest {
 protected:
  DecompressorTest() {
    FakeView view(
        {{"compressor_library",
          Object{{"name", "x"},
                 {"typed_config",
                  Object{{"@type", "a/envoy.extensions.compression.gzip.compressor.v3.Gzip"}}}}}},
        errors);
    compressors_ = read_compressor_library(view);
  }
  Buffer pack(std::string_view text) {
    Buffer data(text);
    compressors_->make()->compress(data, Part::kLast);
    return data;
  }
  void build(Object options) {
    factory = make(&make_decompressor, std::move(options));
    ASSERT_EQ(errors, std::vector<std::string>());
  }
  void start() {
    stream = std::make_unique<FakeStream>();
    filter = attach(*factory, *stream);
  }
  void request(std::string_view encoding, EndStream end = EndStream::kNo) {
    start();
    stream->request.set_method("POST");
    stream->request.headers.set("content-length", "10");
    if (!encoding.empty()) stream->request.headers.set("content-encoding", encoding);
    EXPECT_EQ(filter->on_request_head(stream->request, end), Flow::kContinue);
  }
  void response(std::string_view encoding, int status = 200, std::string_view cache = "") {
    start();
    stream->response.status = status;
    stream->response.headers.set("content-encoding", encoding);
    if (!cache.empty()) stream->response.headers.set("cache-control", cache);
    EXPECT_EQ(filter->on_response_head(stream->response, EndStream::kNo), Flow::kContinue);
  }
  uint64_t count(std::string_view name) {
    return store.counter_value("http.ingress.decompressor.small.gzip." + std::string(name));
  }
  std::shared_ptr<const CompressorLibrary> compressors_;
  std::shared_ptr<const HttpFilterFactory> factory;
  std::unique_ptr<FakeStream> stream;
  std::unique_ptr<HttpFilter> filter;
};

TEST_F(DecompressorTest, Requests) {
  build(gzip());
  request("GZIP");
  EXPECT_EQ(text(stream->request.headers), "accept-encoding=gzip;");
  Buffer data = pack("hello");
  const size_t coded = data.size();
  EXPECT_EQ(filter->on_request_body(data, EndStream::kYes), Flow::kContinue);
  EXPECT_EQ(data.to_string(), "hello");
  EXPECT_EQ(text(stream->trailers),
            "x-envoy-decompressor-small-compressed-bytes=" + std::to_string(coded) +
                ";x-envoy-decompressor-small-uncompressed-bytes=5;");
  EXPECT_EQ(count("request.decompressed"), 1u);
  EXPECT_EQ(count("request.total_compressed_bytes"), coded);
  EXPECT_EQ(count("request.total_uncompressed_bytes"), 5u);
  request("");
  EXPECT_EQ(stream->request.headers.get("content-length"), "10");
  request("gzip", EndStream::kYes);
  EXPECT_EQ(count("request.not_decompressed"), 2u);
}

TEST_F(DecompressorTest, TheOutermostCodingAlone) {
  build(gzip());
  request("br, gzip");
  EXPECT_EQ(stream->request.headers.get("content-encoding"), "br");
  request("gzip, br");
  EXPECT_EQ(stream->request.headers.get("content-encoding"), "gzip, br");
}

TEST_F(DecompressorTest, TrailersEndTheBody) {
  build(gzip());
  request("gzip");
  Buffer data = pack("hello");
  EXPECT_EQ(filter->on_request_body(data, EndStream::kNo), Flow::kContinue);
  HeaderMap trailers;
  EXPECT_EQ(filter->on_request_trailers(trailers), Flow::kContinue);
  EXPECT_EQ(trailers.get("x-envoy-decompressor-small-uncompressed-bytes"), "5");
  request("gzip");
  Buffer cut = pack("hello");
  Buffer half;
  cut.move_to(half, 12);
  EXPECT_EQ(filter->on_request_body(half, EndStream::kNo), Flow::kContinue);
  EXPECT_EQ(filter->on_request_trailers(trailers), Flow::kReplied);
  EXPECT_EQ(stream->replies.at(0).status, 400);
}

TEST_F(DecompressorTest, BadRequestsAreRefused) {
  build(gzip());
  request("gzip");
  Buffer garbage("no gzip at all");
  EXPECT_EQ(filter->on_request_body(garbage, EndStream::kNo), Flow::kReplied);
  EXPECT_EQ(stream->replies.at(0).status, 400);
  request("gzip");
  Buffer bomb = pack(std::string(1 << 20, 'x'));
  EXPECT_EQ(filter->on_request_body(bomb, EndStream::kYes), Flow::kReplied);
  EXPECT_EQ(stream->replies.at(0).status, 413);
  EXPECT_EQ(stream->replies.at(0).details, "decompressor_ratio_exceeded");
  EXPECT_EQ(count("decompressor_library.zlib_data_error"), 2u);
}

TEST_F(DecompressorTest, Responses) {
  build(gzip());
  response("gzip");
  EXPECT_FALSE(stream->response.headers.has(HeaderId::kContentEncoding));
  Buffer data = pack("hello");
  EXPECT_EQ(filter->on_response_body(data, EndStream::kYes), Flow::kContinue);
  EXPECT_EQ(data.to_string(), "hello");
  EXPECT_EQ(stream->trailers.get("x-envoy-decompressor-small-uncompressed-bytes"), "5");
  response("gzip");
  Buffer bad("no gzip at all");
  EXPECT_EQ(filter->on_response_body(bad, EndStream::kYes), Flow::kReplied);
  EXPECT_EQ(stream->resets, std::vector<std::string>{"decompressor_invalid_body"});
  response("gzip", 206);
  EXPECT_TRUE(stream->response.headers.has(HeaderId::kContentEncoding));
  response("gzip", 200, "no-transform");
  EXPECT_TRUE(stream->response.headers.has(HeaderId::kContentEncoding));
  build(gzip({{"response_direction_config",
               Object{{"common_config", Object{{"ignore_no_transform_header", true}}}}}}));
  response("gzip", 200, "no-transform");
  EXPECT_FALSE(stream->response.headers.has(HeaderId::kContentEncoding));
}

TEST_F(DecompressorTest, Advertises) {
  const auto asked = [this](const char* accepts) {
    start();
    stream->request.headers.set("accept-encoding", accepts);
    filter->on_request_head(stream->request, EndStream::kYes);
    return std::string(*stream->request.headers.get("accept-encoding"));
  };
  build(gzip());
  EXPECT_EQ(asked("br"), "br,gzip");
  EXPECT_EQ(asked("br, gzip;q=1"), "br, gzip;q=1");
  EXPECT_EQ(asked("gzip, br"), "gzip, br");
  build(gzip({{"request_direction_config", Object{{"advertise_accept_encoding", false}}}}));
  EXPECT_EQ(asked("br"), "br");
  build(gzip({{"response_direction_config",
               Object{{"common_config", Object{{"enabled", Object{{"default_value", false}}}}}}}}));
  EXPECT_EQ(asked("br"), "br");
  response("gzip");
  EXPECT_TRUE(stream->response.headers.has(HeaderId::kContentEncoding));
}

TEST_F(DecompressorTest, Mistakes) {
  make(&make_decompressor, {});
  EXPECT_EQ(errors.size(), 1u);
  make(&make_decompressor, gzip({}, "not a name"));
  EXPECT_EQ(errors.size(), 1u);
}

}  // namespace
}  // namespace weir::filters::test
