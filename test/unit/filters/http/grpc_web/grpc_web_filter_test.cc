#include "filters/http/grpc_web/grpc_web_filter.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

using namespace std::string_literals;

class GrpcWebTest : public FilterTest {
 protected:
  void request(std::string_view type, std::string_view accept = "") {
    stream = std::make_unique<FakeStream>();
    stream->request.headers.set("content-type", type);
    stream->request.headers.set("content-length", "7");
    if (!accept.empty()) stream->request.headers.set("accept", accept);
    filter = attach(*factory, *stream);
    EXPECT_EQ(filter->on_request_head(stream->request, EndStream::kNo), Flow::kContinue);
  }
  std::string body(std::string_view text, EndStream end = EndStream::kNo) {
    Buffer data(text);
    EXPECT_EQ(filter->on_request_body(data, end), Flow::kContinue);
    return data.to_string();
  }
  Flow response(std::string_view type, EndStream end = EndStream::kNo, int status = 200) {
    stream->response.status = status;
    if (!type.empty()) stream->response.headers.set("content-type", type);
    return filter->on_response_head(stream->response, end);
  }
  std::string response_body(std::string_view text, EndStream end = EndStream::kNo) {
    Buffer data(text);
    EXPECT_EQ(filter->on_response_body(data, end), Flow::kContinue);
    return data.to_string();
  }
  std::string response_trailers() {
    HeaderMap trailers;
    trailers.add("grpc-status", "0");
    trailers.add("grpc-message", "ok");
    EXPECT_EQ(filter->on_response_trailers(trailers), Flow::kContinue);
    EXPECT_TRUE(trailers.empty());
    return stream->added.to_string();
  }
  std::shared_ptr<const HttpFilterFactory> factory = make(&make_grpc_web, {});
  std::unique_ptr<FakeStream> stream;
  std::unique_ptr<HttpFilter> filter;
};

const std::string kMessage = "\0\0\0\0\2ab"s;
const std::string kTrailers = "\x80\0\0\0\x20grpc-status:0\r\ngrpc-message:ok\r\n"s;

TEST_F(GrpcWebTest, Binary) {
  for (const char* type : {"application/grpc-web", "application/grpc-web+proto",
                           "application/grpc-web+json; charset=utf-8"}) {
    request(type);
    EXPECT_EQ(text(stream->request.headers),
              "content-type=application/grpc;te=trailers;grpc-accept-encoding=identity;");
    EXPECT_EQ(body(kMessage, EndStream::kYes), kMessage);
    EXPECT_EQ(response("application/grpc+proto"), Flow::kContinue);
    EXPECT_EQ(text(stream->response.headers), "content-type=application/grpc-web+proto;");
    EXPECT_EQ(response_body(kMessage), kMessage);
    EXPECT_EQ(response_trailers(), kTrailers);
  }
}

TEST_F(GrpcWebTest, Text) {
  request("application/grpc-web-text+proto");
  EXPECT_EQ(body("AAAAA"), "\0\0\0"s);
  EXPECT_EQ(body("AJhY"), "\0\2a"s);
  EXPECT_EQ(body("g==AAAAAAJhYg=="s, EndStream::kYes), "b" + kMessage);
  EXPECT_EQ(response("application/grpc"), Flow::kContinue);
  EXPECT_EQ(text(stream->response.headers), "content-type=application/grpc-web-text+proto;");
  // Each message ends with its padding, wherever the body is cut.
  EXPECT_EQ(response_body(kMessage.substr(0, 4)), "AAAA");
  EXPECT_EQ(response_body(kMessage.substr(4) + kMessage), "AAJhYg==AAAAAAJhYg==");
  EXPECT_EQ(response_trailers(), "gAAAACBncnBjLXN0YXR1czowDQpncnBjLW1lc3NhZ2U6b2sNCg==");
}

TEST_F(GrpcWebTest, TheClientChoosesTheFormOfItsAnswer) {
  request("application/grpc-web", "application/grpc-web-text");
  response("application/grpc");
  EXPECT_EQ(response_body(kMessage), "AAAAAAJhYg==");
  request("application/grpc-web-text", "application/grpc-web+proto");
  response("application/grpc");
  EXPECT_EQ(response_body(kMessage), kMessage);
}

TEST_F(GrpcWebTest, BadBase64) {
  const auto refused = [this](Flow flow, std::string_view details) {
    EXPECT_EQ(flow, Flow::kReplied);
    ASSERT_EQ(stream->replies.size(), 1u);
    EXPECT_EQ(stream->replies[0].status, 400);
    EXPECT_EQ(stream->replies[0].body, "Bad gRPC-web request, invalid base64 data.");
    EXPECT_EQ(stream->replies[0].details, details);
  };
  request("application/grpc-web-text");
  Buffer bad("AA!A");
  refused(filter->on_request_body(bad, EndStream::kNo), "grpc_base64_decode_failed");
  request("application/grpc-web-text");
  Buffer cut("AAAAA");
  refused(filter->on_request_body(cut, EndStream::kYes), "grpc_base64_decode_failed_bad_size");
  request("application/grpc-web-text");
  EXPECT_EQ(body("AAAAA"), "\0\0\0"s);
  HeaderMap trailers;
  refused(filter->on_request_trailers(trailers), "grpc_base64_decode_failed_bad_size");
}

TEST_F(GrpcWebTest, OtherRequestsPass) {
  for (const char* type : {"application/grpc", "application/json", "application/grpc-webby"}) {
    request(type);
    EXPECT_EQ(stream->request.headers.get("content-type"), type);
    EXPECT_EQ(body("AAAA"), "AAAA");
    EXPECT_EQ(response("application/grpc"), Flow::kContinue);
    EXPECT_EQ(response_body("abc"), "abc");
    HeaderMap trailers;
    trailers.add("grpc-status", "0");
    filter->on_response_trailers(trailers);
    EXPECT_EQ(trailers.size(), 1u);
  }
}

TEST_F(GrpcWebTest, TrailersOnlyAnswers) {
  request("application/grpc-web");
  stream->response.headers.set("grpc-status", "5");
  EXPECT_EQ(response("application/grpc", EndStream::kYes), Flow::kContinue);
  EXPECT_EQ(text(stream->response.headers),
            "grpc-status=5;content-type=application/grpc-web+proto;");
}

TEST_F(GrpcWebTest, AnswersThatAreNoGrpc) {
  request("application/grpc-web-text");
  EXPECT_EQ(response("text/plain", EndStream::kNo, 503), Flow::kPauseHead);
  Buffer data("100% down\n");
  EXPECT_EQ(filter->on_response_body(data, EndStream::kNo), Flow::kDrop);
  EXPECT_EQ(stream->continued, 0);
  Buffer much(std::string(100000, 'x'));
  EXPECT_EQ(filter->on_response_body(much, EndStream::kYes), Flow::kDrop);
  EXPECT_EQ(stream->continued, 1);
  EXPECT_EQ(stream->response.headers.get("grpc-status"), "14");
  const std::string message(*stream->response.headers.get("grpc-message"));
  EXPECT_TRUE(message.starts_with("100%25 down%0Axxx")) << message;
  EXPECT_LT(message.size(), 5000u);
  EXPECT_EQ(stream->response.headers.get("content-type"), "application/grpc-web-text+proto");
  EXPECT_EQ(stream->response.headers.get("content-length"), "0");
  request("application/grpc-web");
  EXPECT_EQ(response("", EndStream::kYes, 404), Flow::kContinue);
  EXPECT_EQ(stream->response.headers.get("grpc-status"), "12");
}

}  // namespace
}  // namespace weir::filters::test
