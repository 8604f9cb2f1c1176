// compressor and decompressor in the running server.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

std::string library(std::string_view way, std::string_view folder, std::string_view message,
                    std::string_view name = "lib") {
  return std::string(way) + "_library: {name: " + std::string(name) +
         ", typed_config: {\"@type\": type.googleapis.com/envoy.extensions.compression." +
         std::string(folder) + "." + std::string(way) + ".v3." + std::string(message) + "}}";
}
std::string filter(std::string_view name, std::string_view type, std::string_view fields) {
  return "- name: " + std::string(name) +
         "\n  typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http." +
         std::string(type) + ", " + std::string(fields) + "}\n";
}
std::string compressor(std::string_view name, std::string_view folder, std::string_view message,
                       std::string_view more = ", response_direction_config: {}") {
  return filter(name, "compressor.v3.Compressor",
                library("compressor", folder, message) + std::string(more));
}
std::string decompressor(std::string_view name, std::string_view folder, std::string_view message,
                         std::string_view more = "") {
  return filter(name, "decompressor.v3.Decompressor",
                library("decompressor", folder, message) + std::string(more));
}

Peer::Message ask(TestProxy& proxy, std::string_view path, std::string_view headers = "",
                  std::string_view method = "GET") {
  Peer client = proxy.connect();
  client.send(std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" +
              std::string(headers) + "\r\n");
  return client.read_message(method != "HEAD");
}

std::string page() {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "<p>" + std::to_string(i * 31 % 977) + "</p>\n";
  return text;
}

/// Two proxies: the inner compresses, the outer decompresses for clients that ask for nothing.
TEST(Compression, RoundTripThroughTwoProxies) {
  const std::string text = page();
  AutoOrigin origin([&text](const Peer::Message&) {
    return response(text, 200, "content-type: text/html\r\netag: \"x\"\r\n");
  });
  Yaml inner;
  inner.origin_port = origin.port();
  inner.filters = compressor("a", "gzip", "Gzip") + compressor("b", "brotli", "Brotli") +
                  compressor("c", "zstd", "Zstd");
  TestProxy compressing(inner.text());
  struct {
    const char *encoding, *folder, *message;
  } kinds[] = {{"gzip", "gzip", "Gzip"}, {"br", "brotli", "Brotli"}, {"zstd", "zstd", "Zstd"}};
  for (const auto& kind : kinds) {
    const auto coded =
        ask(compressing, "/", "accept-encoding: " + std::string(kind.encoding) + "\r\n");
    EXPECT_EQ(coded.header("content-encoding"), kind.encoding);
    EXPECT_EQ(coded.header("vary"), "Accept-Encoding");
    EXPECT_FALSE(coded.has("content-length"));
    EXPECT_FALSE(coded.has("etag"));
    EXPECT_LT(coded.body.size(), text.size() / 3);
    Yaml outer;
    outer.origin_port = compressing.port();
    outer.filters = decompressor("d", kind.folder, kind.message);
    TestProxy decompressing(outer.text());
    const auto plain = ask(decompressing, "/");
    EXPECT_FALSE(plain.has("content-encoding"));
    EXPECT_TRUE(plain.body == text) << kind.encoding;
    const std::string prefix =
        "http.ingress.decompressor.lib." + std::string(kind.folder) + ".response.";
    EXPECT_EQ(decompressing.counter(prefix + "decompressed"), 1u);
    EXPECT_EQ(decompressing.counter(prefix + "total_uncompressed_bytes"), text.size());
    // Both answers have been compressed; where they were flushed, and so how long they are, varies.
    EXPECT_EQ(decompressing.counter(prefix + "total_compressed_bytes") + coded.body.size(),
              compressing.counter("http.ingress.compressor.lib." + std::string(kind.folder) +
                                  ".response.total_compressed_bytes"));
  }
  EXPECT_EQ(ask(compressing, "/").body, text);
  const auto head = ask(compressing, "/", "accept-encoding: gzip\r\n", "HEAD");
  EXPECT_EQ(head.header("content-length"), std::to_string(text.size()));
  EXPECT_FALSE(head.has("content-encoding"));
  EXPECT_EQ(compressing.counter("http.ingress.compressor.lib.gzip.response.compressed"), 2u);
}

TEST(Compression, EventsArriveWhileTheStreamGoesOn) {
  Origin origin;
  Yaml inner;
  inner.origin_port = origin.port();
  inner.filters = compressor("a", "gzip", "Gzip",
                             ", response_direction_config: {common_config: {content_type: "
                             "[text/event-stream]}}");
  TestProxy compressing(inner.text());
  Yaml outer;
  outer.origin_port = compressing.port();
  outer.filters = decompressor("d", "gzip", "Gzip");
  TestProxy decompressing(outer.text());
  Peer client = decompressing.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  EXPECT_NE(upstream.read_head().find("accept-encoding: gzip"), std::string::npos);
  upstream.send(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
  client.read_head();
  for (const char* event : {"data: 1\n\n", "data: 2\n\n", "data: 3\n\n"}) {
    upstream.send("9\r\n" + std::string(event) + "\r\n");
    EXPECT_EQ(client.read(3), "9\r\n");
    EXPECT_EQ(client.read(11), std::string(event) + "\r\n");
  }
  upstream.send("0\r\n\r\n");
  EXPECT_EQ(client.read(5), "0\r\n\r\n");
}

TEST(Compression, RequestsAndTheRoutesWord) {
  AutoOrigin origin([](const Peer::Message& request) {
    return response(
        request.body, 200,
        "content-type: text/plain\r\nx-seen: " + request.header("content-encoding") + "\r\n");
  });
  Yaml inner;
  inner.origin_port = origin.port();
  inner.filters = decompressor("d", "zstd", "Zstd",
                               ", response_direction_config: {common_config: "
                               "{enabled: {default_value: false}}}");
  TestProxy decompressing(inner.text());
  Yaml outer;
  outer.origin_port = decompressing.port();
  outer.filters = compressor("c", "zstd", "Zstd",
                             ", request_direction_config: {}, response_direction_config: {}");
  outer.routes =
      "- match: {prefix: /off}\n  route: {cluster: origin}\n  typed_per_filter_config:\n    c: "
      "{\"@type\": type.googleapis.com/"
      "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute, disabled: true}\n"
      "- match: {prefix: /}\n  route: {cluster: origin}\n";
  TestProxy compressing(outer.text());
  const std::string text = page();
  const auto post = [&](std::string_view path) {
    Peer client = compressing.connect();
    client.send("POST " + std::string(path) +
                " HTTP/1.1\r\nHost: a\r\ncontent-type: text/plain\r\ncontent-length: " +
                std::to_string(text.size()) + "\r\n\r\n" + text);
    return client.read_message();
  };
  auto answer = post("/");
  EXPECT_TRUE(answer.body == text);
  EXPECT_EQ(answer.header("x-seen"), "");  // decoded on the way
  EXPECT_EQ(compressing.counter("http.ingress.compressor.lib.zstd.request.compressed"), 1u);
  EXPECT_EQ(decompressing.counter("http.ingress.decompressor.lib.zstd.request.decompressed"), 1u);
  EXPECT_TRUE(post("/off").body == text);
  EXPECT_EQ(compressing.counter("http.ingress.compressor.lib.zstd.request.compressed"), 1u);
}

TEST(Compression, BombsAndGarbage) {
  // The bomb is made by a compressing proxy.
  const std::string zeros(20 << 20, '0');
  AutoOrigin origin([&zeros](const Peer::Message& request) {
    if (request.first_line().find("/garbage") != std::string::npos)
      return response("this is not gzip", 200, "content-encoding: gzip\r\n");
    return response(zeros, 200, "content-type: text/plain\r\n");
  });
  Yaml inner;
  inner.origin_port = origin.port();
  inner.filters = compressor("a", "gzip", "Gzip");
  TestProxy compressing(inner.text());
  Yaml outer;
  outer.origin_port = compressing.port();
  outer.filters = decompressor("d", "gzip", "Gzip");
  TestProxy proxy(outer.text());
  const auto cut = [&proxy](const std::string& path) {
    Peer client = proxy.connect();
    client.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string all = client.read_to_end();
    EXPECT_FALSE(all.ends_with("0\r\n\r\n"));  // it must not look whole
    return all.size();
  };
  EXPECT_LT(cut("/"), size_t{14} << 20);
  cut("/garbage");
  EXPECT_EQ(
      proxy.counter("http.ingress.decompressor.lib.gzip.decompressor_library.zlib_data_error"), 2u);
  Peer client = proxy.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\nnot gzip");
  EXPECT_EQ(client.read_message().status(), 400);
}

}  // namespace
}  // namespace weir::test
