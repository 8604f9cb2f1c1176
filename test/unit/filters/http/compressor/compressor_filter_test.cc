#include "filters/http/compressor/compressor_filter.h"

#include "filters/http/compression/codec.h"
#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

Object library(const char* folder, const char* message) {
  const std::string type = std::string("type.googleapis.com/envoy.extensions.compression.") +
                           folder + ".compressor.v3." + message;
  return {{"name", "text"}, {"typed_config", Object{{"@type", type.c_str()}}}};
}
Object gzip(Object fields = {}) {
  fields.insert_or_assign("compressor_library", library("gzip", "Gzip"));
  fields.try_emplace("response_direction_config", Object{});
  return fields;
}
Object response_config(Object fields, Object common = {}) {
  fields.insert_or_assign("common_config", common);
  return gzip({{"response_direction_config", std::move(fields)}});
}

using Headers = std::vector<std::pair<const char*, const char*>>;
const Headers kPage = {{"content-type", "text/html; charset=utf-8"}, {"content-length", "100"}};
Headers with(Headers headers, const char* name, const char* value) {
  headers.emplace_back(name, value);
  return headers;
}

class CompressorTest : public FilterTest {
 protected:
  void build(Object options) {
    factory = make(&make_compressor, std::move(options));
    ASSERT_EQ(errors, std::vector<std::string>());
  }
  std::shared_ptr<const void> route(Object fields) {
    FakeView view(std::move(fields), errors);
    return factory->make_route_config(view);
  }
  void request(const char* accepts, const void* own = nullptr) {
    stream = std::make_unique<FakeStream>();
    stream->route = own;
    stream->request.set_method("GET");
    if (accepts != nullptr) stream->request.headers.set("accept-encoding", accepts);
    filter = attach(*factory, *stream);
    EXPECT_EQ(filter->on_request_head(stream->request, EndStream::kYes), Flow::kContinue);
  }
  /// The response's headers, after the filter.
  const HeaderMap& response(const Headers& headers, int status = 200,
                            EndStream end = EndStream::kNo) {
    stream->response.clear();
    stream->response.status = status;
    for (const auto& [name, value] : headers) stream->response.headers.add(name, value);
    EXPECT_EQ(filter->on_response_head(stream->response, end), Flow::kContinue);
    return stream->response.headers;
  }
  bool compresses(const char* accepts, const Headers& headers, int status = 200,
                  EndStream end = EndStream::kNo) {
    request(accepts);
    return response(headers, status, end).has(HeaderId::kContentEncoding);
  }
  uint64_t count(std::string_view name) {
    return store.counter_value("http.ingress.compressor.text.gzip." + std::string(name));
  }
  std::shared_ptr<const HttpFilterFactory> factory;
  std::unique_ptr<FakeStream> stream;
  std::unique_ptr<HttpFilter> filter;
};

TEST_F(CompressorTest, ChangesHeadAndBody) {
  build(gzip());
  request("gzip");
  EXPECT_EQ(text(response(with(kPage, "etag", "\"abc\""))),
            "content-type=text/html; charset=utf-8;content-encoding=gzip;vary=Accept-Encoding;");
  Buffer data(std::string(1000, 'a'));
  EXPECT_EQ(filter->on_response_body(data, EndStream::kNo), Flow::kContinue);
  const std::string first = data.to_string();
  EXPECT_TRUE(first.starts_with("\x1f\x8b"));
  EXPECT_LT(first.size(), 100u);
  Buffer end;
  EXPECT_EQ(filter->on_response_body(end, EndStream::kYes), Flow::kContinue);
  EXPECT_FALSE(end.empty());
  EXPECT_EQ(count("response.compressed"), 1u);
  EXPECT_EQ(count("response.header_compressor_used"), 1u);
  EXPECT_EQ(count("response.total_uncompressed_bytes"), 1000u);
  EXPECT_EQ(count("response.total_compressed_bytes"), first.size() + end.size());
}

TEST_F(CompressorTest, TrailersEndTheBody) {
  build(gzip());
  request("gzip");
  response(kPage);
  Buffer data(std::string(1000, 'a'));
  filter->on_response_body(data, EndStream::kNo);
  HeaderMap trailers;
  EXPECT_EQ(filter->on_response_trailers(trailers), Flow::kContinue);
  EXPECT_FALSE(stream->added.empty());
  Buffer untouched("abc");
  request(nullptr);
  response(kPage);
  filter->on_response_body(untouched, EndStream::kNo);
  EXPECT_EQ(untouched.to_string(), "abc");
  filter->on_response_trailers(trailers);
  EXPECT_TRUE(stream->added.empty());
}

TEST_F(CompressorTest, WhatIsNotCompressed) {
  build(gzip());
  EXPECT_FALSE(compresses(nullptr, kPage));
  EXPECT_TRUE(stream->response.headers.has(HeaderId::kVary));  // another client might have it
  EXPECT_FALSE(compresses("br", kPage));
  EXPECT_FALSE(compresses("identity", kPage));
  EXPECT_FALSE(compresses("gzip;q=0", kPage));
  EXPECT_EQ(count("response.no_accept_header"), 1u);
  EXPECT_EQ(count("response.header_not_valid"), 2u);
  EXPECT_EQ(count("response.header_identity"), 1u);
  EXPECT_FALSE(compresses("gzip", with(kPage, "content-encoding", "br")) &&
               stream->response.headers.get(HeaderId::kContentEncoding) == "gzip");
  EXPECT_FALSE(compresses("gzip", with(kPage, "cache-control", "max-age=1, No-Transform")));
  EXPECT_FALSE(stream->response.headers.has(HeaderId::kVary));
  EXPECT_FALSE(compresses("gzip", {{"content-type", "image/png"}, {"content-length", "100"}}));
  EXPECT_FALSE(compresses("gzip", {{"content-type", "text/html"}, {"content-length", "29"}}));
  EXPECT_EQ(count("response.content_length_too_small"), 1u);
  EXPECT_FALSE(compresses("gzip", kPage, 206));
  EXPECT_FALSE(compresses("gzip", with(kPage, "content-range", "bytes 0-1/2")));
  EXPECT_FALSE(compresses("gzip", kPage, 200, EndStream::kYes));  // HEAD
  EXPECT_EQ(stream->response.headers.get(HeaderId::kContentLength), "100");
  EXPECT_TRUE(stream->response.headers.has(HeaderId::kVary));
  EXPECT_FALSE(compresses("gzip", kPage, 304, EndStream::kYes));
  EXPECT_EQ(count("response.compressed"), 0u);
  EXPECT_EQ(count("response.not_compressed"), 12u);
}

TEST_F(CompressorTest, WhatIsCompressed) {
  build(gzip());
  EXPECT_TRUE(compresses("br, gzip", kPage));
  EXPECT_TRUE(compresses("*", kPage));
  EXPECT_EQ(count("response.header_wildcard"), 1u);
  EXPECT_TRUE(compresses("gzip", {{"content-type", "Application/JSON"}}));
  EXPECT_TRUE(compresses("gzip", {}));  // of no type and no length
  EXPECT_TRUE(compresses("gzip", kPage, 404));
}

TEST_F(CompressorTest, VaryIsKept) {
  build(gzip());
  request("gzip");
  EXPECT_EQ(response(with(kPage, "vary", "origin")).get("vary"), "origin, Accept-Encoding");
  EXPECT_EQ(response(with(kPage, "vary", "x, accept-encoding")).get("vary"), "x, accept-encoding");
  EXPECT_EQ(response(with(kPage, "vary", "*")).get("vary"), "*");
}

TEST_F(CompressorTest, Etags) {
  build(gzip());
  request("gzip");
  EXPECT_EQ(response(with(kPage, "etag", "W/\"a\"")).get("etag"), "W/\"a\"");
  EXPECT_EQ(response(with(kPage, "etag", "\"a\"")).get("etag"), std::nullopt);
  build(response_config({{"weaken_etag_on_compress", true}}));
  request("gzip");
  EXPECT_EQ(response(with(kPage, "etag", "\"a\"")).get("etag"), "W/\"a\"");
  build(response_config({{"disable_on_etag_header", true}}));
  EXPECT_FALSE(compresses("gzip", with(kPage, "etag", "\"a\"")));
  EXPECT_EQ(stream->response.headers.get("etag"), "\"a\"");
  EXPECT_EQ(count("response.not_compressed_etag"), 1u);
}

TEST_F(CompressorTest, Configured) {
  build(response_config({{"uncompressible_response_codes", List{"404", "500"}},
                         {"remove_accept_encoding_header", true}},
                        {{"min_content_length", 1000}, {"content_type", List{"Text/X"}}}));
  const Headers big = {{"content-type", "text/x"}, {"content-length", "1000"}};
  EXPECT_TRUE(compresses("gzip", big));
  EXPECT_FALSE(stream->request.headers.has(HeaderId::kAcceptEncoding));
  EXPECT_FALSE(compresses("gzip", big, 404));
  EXPECT_FALSE(compresses("gzip", {{"content-type", "text/x"}, {"content-length", "999"}}));
  EXPECT_FALSE(compresses("gzip", {{"content-type", "text/html"}, {"content-length", "1000"}}));
  build(response_config({}, {{"enabled", Object{{"default_value", false}}}}));
  EXPECT_FALSE(compresses("gzip", kPage));
  EXPECT_FALSE(stream->response.headers.has(HeaderId::kVary));
}

TEST_F(CompressorTest, TheOldFieldsAndNames) {
  Object old = {{"compressor_library", library("gzip", "Gzip")},
                {"content_length", 10},
                {"content_type", List{"a/b"}},
                {"runtime_enabled", Object{{"default_value", true}}}};
  build(old);
  EXPECT_TRUE(compresses("gzip", {{"content-type", "a/b"}, {"content-length", "10"}}));
  EXPECT_EQ(count("compressed"), 1u);
  old.insert_or_assign("response_direction_config", Object{});
  make(&make_compressor, old);
  EXPECT_EQ(errors.size(), 3u);
}

TEST_F(CompressorTest, StatusHeader) {
  build(response_config({{"status_header_enabled", true}}));
  request("gzip");
  constexpr std::string_view kName = "x-envoy-compression-status";
  EXPECT_EQ(response(kPage).get(kName), "gzip;Compressed;OriginalLength=100");
  EXPECT_EQ(response({{"content-type", "a/b"}, {"x-envoy-compression-status", "br;X"}}).get(kName),
            "br;X,gzip;ContentTypeNotAllowed");
  EXPECT_EQ(response({{"content-length", "1"}}).get(kName), "gzip;ContentLengthTooSmall");
  EXPECT_EQ(response(kPage, 206).get(kName), "gzip;StatusCodeNotAllowed");
  request("br");
  EXPECT_EQ(response(kPage).get(kName), std::nullopt);
}

TEST_F(CompressorTest, OneOfSeveralIsChosen) {
  build(gzip());
  Object brotli = gzip();
  brotli.insert_or_assign("compressor_library", library("brotli", "Brotli"));
  auto second = make(&make_compressor, brotli);
  const auto chosen = [&](const char* accepts) {
    request(accepts);
    auto other = attach(*second, *stream);
    other->on_request_head(stream->request, EndStream::kYes);
    stream->response.clear();
    stream->response.status = 200;
    other->on_response_head(stream->response,
                            EndStream::kNo);  // the last in the chain is the first here
    filter->on_response_head(stream->response, EndStream::kNo);
    return std::string(stream->response.headers.get(HeaderId::kContentEncoding).value_or("none"));
  };
  EXPECT_EQ(chosen("gzip, br"), "gzip");
  EXPECT_EQ(chosen("br, gzip"), "br");
  EXPECT_EQ(chosen("gzip;q=0.1, br;q=0.2"), "br");
  EXPECT_EQ(store.counter_value(
                "http.ingress.compressor.text.brotli.response.header_compressor_overshadowed"),
            1u);
  brotli.insert_or_assign("choose_first", true);
  second = make(&make_compressor, brotli);
  EXPECT_EQ(chosen("gzip, br"), "br");
}

TEST_F(CompressorTest, Requests) {
  build(gzip({{"request_direction_config", Object{}}}));
  const auto send = [this](const Headers& headers, EndStream end = EndStream::kNo) {
    stream = std::make_unique<FakeStream>();
    for (const auto& [name, value] : headers) stream->request.headers.add(name, value);
    filter = attach(*factory, *stream);
    filter->on_request_head(stream->request, end);
    return stream->request.headers.get(HeaderId::kContentEncoding) == "gzip";
  };
  EXPECT_TRUE(send(kPage));
  EXPECT_FALSE(stream->request.headers.has(HeaderId::kContentLength));
  Buffer data(std::string(100, 'x'));
  filter->on_request_body(data, EndStream::kYes);
  EXPECT_LT(data.size(), 100u);
  EXPECT_FALSE(send(kPage, EndStream::kYes));
  EXPECT_FALSE(send({{"content-type", "text/html"}}));
  EXPECT_FALSE(send({{"content-type", "text/html"}, {"content-length", "3"}}));
  EXPECT_FALSE(send(with(kPage, "content-encoding", "br")));
  EXPECT_EQ(count("request.compressed"), 1u);
  EXPECT_EQ(count("request.not_compressed"), 3u);
  EXPECT_EQ(count("request.total_uncompressed_bytes"), 100u);
  build(gzip());
  EXPECT_FALSE(send(kPage));
}

TEST_F(CompressorTest, Routes) {
  build(response_config({{"remove_accept_encoding_header", true}},
                        {{"enabled", Object{{"default_value", false}}}}));
  const auto on = route({{"overrides", Object{{"response_direction_config",
                                               Object{{"remove_accept_encoding_header", false}}},
                                              {"compressor_library", library("zstd", "Zstd")}}}});
  ASSERT_TRUE(errors.empty());
  request("zstd", on.get());
  EXPECT_TRUE(stream->request.headers.has(HeaderId::kAcceptEncoding));
  EXPECT_EQ(response(kPage).get(HeaderId::kContentEncoding), "zstd");
  build(gzip());
  const auto disabled = route({{"disabled", true}});
  request("gzip", disabled.get());
  EXPECT_FALSE(response(kPage).has(HeaderId::kContentEncoding));
  EXPECT_TRUE(errors.empty());
  route({});
  route({{"disabled", false}});
  EXPECT_EQ(errors.size(), 2u);
}

TEST_F(CompressorTest, Mistakes) {
  make(&make_compressor, {});
  EXPECT_EQ(errors.size(), 1u);
  make(&make_compressor,
       response_config({{"disable_on_etag_header", true}, {"weaken_etag_on_compress", true}}));
  EXPECT_EQ(errors.size(), 1u);
  make(&make_compressor, response_config({{"uncompressible_response_codes", List{"0", "abc"}}}));
  EXPECT_EQ(errors.size(), 2u);
}

}  // namespace
}  // namespace weir::filters::test
