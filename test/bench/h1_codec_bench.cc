// The HTTP/1 codec, both roles: bytes in, bytes out, no socket.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "http/h1/h1.h"

namespace weir::http::h1 {
namespace {

constexpr std::string_view kPlainRequest = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
constexpr std::string_view kBrowserRequest =
    "GET /static/js/app.8f3c.js?v=12 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://www.example.com/index.html\r\n"
    "Cookie: session=4f1c9a0e2b7d4c53a1e8; theme=dark; consent=yes\r\n"
    "Connection: keep-alive\r\n"
    "Sec-Fetch-Dest: script\r\n"
    "Sec-Fetch-Mode: no-cors\r\n"
    "If-None-Match: \"5e1f-8f3c\"\r\n\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nserver: origin\r\ncontent-type: text/plain\r\ncontent-length: 46\r\n\r\n"
    "The quick brown fox jumps over the lazy dogs.\n";

/// One request at a time, answered as soon as it is complete if `answers` is set.
class Session final : public ServerConnectionSink, public RequestReceiver {
 public:
  explicit Session(const ResponseHead* answer)
      : answer_(answer), codec_(make_server_connection({}, *this, out_)) {}

  RequestReceiver& on_new_request(ResponseWriter& writer) override {
    writer_ = &writer;
    head_.clear();
    return *this;
  }
  void on_exchange_done(RequestReceiver&) override {}
  void on_hold_reading() override {}
  void on_release_reading() override {}
  RequestHead& request_head() noexcept override { return head_; }
  HeaderMap& request_trailers() noexcept override { return trailers_; }
  void on_request_head(Protocol, size_t, EndStream end) override {
    if (end == EndStream::kYes) answer();
  }
  void on_request_body(Buffer& data, EndStream end) override {
    data.clear();
    if (end == EndStream::kYes) answer();
  }
  void on_request_trailers() override {}
  void on_request_aborted(const Error&) override {}

  bool feed(std::string_view bytes) {
    in_.append(bytes);
    const bool good = codec_->decode(in_).has_value();
    out_.clear();
    return good && in_.empty();
  }

 private:
  void answer() {
    writer_->send_head(*answer_, EndStream::kNo);
    body_.append("The quick brown fox jumps over the lazy dogs.\n");
    writer_->send_body(body_, EndStream::kYes);
  }

  const ResponseHead* answer_;
  Buffer in_;
  Buffer out_;
  Buffer body_;
  RequestHead head_;
  HeaderMap trailers_;
  ResponseWriter* writer_ = nullptr;
  std::unique_ptr<ServerConnection> codec_;
};

// Decodes one request and encodes its answer, which is what the downstream side of a proxy does.
void server_exchange(benchmark::State& state, std::string_view request) {
  ResponseHead answer;
  answer.status = 200;
  answer.headers.add(HeaderId::kServer, "weir");
  answer.headers.add(HeaderId::kContentType, "text/plain");
  answer.headers.add(HeaderId::kContentLength, "46");
  Session session(&answer);
  for (auto _ : state) {
    if (!session.feed(request)) state.SkipWithError("the codec refused the request");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(request.size()));
}
void BM_H1ServerPlain(benchmark::State& state) { server_exchange(state, kPlainRequest); }
void BM_H1ServerBrowser(benchmark::State& state) { server_exchange(state, kBrowserRequest); }
void BM_H1ServerChunkedUpload(benchmark::State& state) {
  std::string request = "POST /up HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  for (int i = 0; i < 16; ++i) request.append("1000\r\n").append(4096, 'x').append("\r\n");
  request.append("0\r\n\r\n");
  server_exchange(state, request);
}
BENCHMARK(BM_H1ServerPlain);
BENCHMARK(BM_H1ServerBrowser);
BENCHMARK(BM_H1ServerChunkedUpload);

class Upstream final : public ResponseReceiver {
 public:
  ResponseHead& response_head() noexcept override { return head_; }
  HeaderMap& response_trailers() noexcept override { return trailers_; }
  void on_informational() override {}
  void on_response_head(size_t, EndStream) override {}
  void on_response_body(Buffer& data, EndStream) override { data.clear(); }
  void on_response_trailers() override {}
  void clear() { head_.clear(); }

 private:
  ResponseHead head_;
  HeaderMap trailers_;
};

// Encodes one request and decodes its answer: the upstream side.
void BM_H1ClientExchange(benchmark::State& state) {
  RequestHead request;
  request.set_method("GET");
  request.set_path("/");
  request.set_authority("127.0.0.1:8080");
  request.set_scheme("http");
  request.headers.add(HeaderId::kXForwardedProto, "http");
  request.headers.add(HeaderId::kXRequestId, "5b0f2a7e-9f0e-4a54-8a0c-6f3d3f0f7c11");
  Buffer in;
  Buffer out;
  Upstream upstream;
  const std::unique_ptr<ClientConnection> codec = make_client_connection({}, out);
  for (auto _ : state) {
    upstream.clear();
    codec->start(upstream).send_head(request, EndStream::kYes);
    out.clear();
    in.append(kResponse);
    if (!codec->decode(in) || !codec->reusable())
      state.SkipWithError("the codec refused the response");
  }
}
BENCHMARK(BM_H1ClientExchange);

}  // namespace
}  // namespace weir::http::h1
