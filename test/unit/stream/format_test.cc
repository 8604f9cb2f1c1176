#include "stream/format.h"

#include <gtest/gtest.h>

#include "stream/header_ops.h"
#include "stream/local_reply.h"

namespace weir::stream {
namespace {

using std::chrono::milliseconds;

class FormatTest : public ::testing::Test {
 protected:
  FormatTest() {
    info.start_time = SystemTime(milliseconds(1700000000123));
    info.start = MonotonicTime(milliseconds(1000));
    info.request_end = info.start + milliseconds(5);
    info.upstream_first_tx = info.start + milliseconds(6);
    info.upstream_first_rx = info.start + milliseconds(20);
    info.upstream_last_rx = info.start + milliseconds(25);
    info.first_tx = info.start + milliseconds(21);
    info.end = info.start + milliseconds(30);
    info.bytes_received = 10;
    info.bytes_sent = 20;
    info.request_headers_bytes = 100;
    info.response_code = 200;
    info.response_code_details_static = "via_upstream";
    info.downstream_remote_address = "10.0.0.1:0";
    info.downstream_direct_remote_address = "[::1]:5000";
    info.downstream_local_address = "127.0.0.1:80";
    info.upstream_host = "127.0.0.1:8080";
    info.upstream_cluster = "origin";
    info.route_name = "r";
    info.connection_id = 7;
    info.stream_id = 8;
    info.upstream_attempt_count = 1;
    info.set_filter_state("wasm.key", "value");
    request.set_method("GET");
    request.set_path("/a/b?x=1&y=2");
    request.set_authority("example.com");
    request.set_scheme("http");
    request.headers.add("user-agent", "curl \"x\"\r\n");
    request.headers.add("x-long", "abcdefghij");
    response.status = 200;
    response.headers.add("content-type", "text/plain");
    trailers.add("grpc-status", "5");
  }
  FormatContext context() { return {info, &request, &response, &trailers, info.end}; }
  std::string text(std::string_view format, bool omit = false) {
    auto compiled = Format::compile(format);
    if (!compiled) return "error: " + compiled.error().detail;
    std::string out;
    compiled->append(context(), out, Format::Escape::kYes, omit);
    return out;
  }
  StreamInfo info;
  RequestHead request;
  ResponseHead response;
  HeaderMap trailers;
};

TEST_F(FormatTest, Operators) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"plain 100%%", "plain 100%"},
      {"%START_TIME%", "2023-11-14T22:13:20.123Z"},
      {"%START_TIME(%Y/%m/%dT%H:%M:%S%z)%", "2023/11/14T22:13:20+0000"},
      {"%START_TIME(%s.%3f)%", "1700000000.123"},
      {"%START_TIME(%E3S)%", "20.123"},
      {"%DURATION%", "30"},
      {"%REQUEST_DURATION%", "5"},
      {"%RESPONSE_DURATION%", "20"},
      {"%RESPONSE_TX_DURATION%", "10"},
      {"%COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)%", "20000"},
      {"%BYTES_RECEIVED%/%BYTES_SENT%", "10/20"},
      {"%REQUEST_HEADERS_BYTES%", "100"},
      {"%PROTOCOL%", "HTTP/1.1"},
      {"%RESPONSE_CODE%", "200"},
      {"%RESPONSE_CODE_DETAILS%", "via_upstream"},
      {"%RESPONSE_FLAGS%", "-"},
      {"%CONNECTION_TERMINATION_DETAILS%", "-"},
      {"%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "1"},
      {"%REQ(:METHOD)% %REQ(:PATH)% %REQUEST_HEADER(host)%", "GET /a/b?x=1&y=2 example.com"},
      {"%REQ(X-NONE?X-LONG):4%", "abcd"},
      {"%REQ(X-NONE)%", "-"},
      {"%RESP(Content-Type)%", "text/plain"},
      {"%TRAILER(grpc-status)%", "5"},
      {"%GRPC_STATUS%", "NotFound"},
      {"%GRPC_STATUS(SNAKE_STRING)%", "NOT_FOUND"},
      {"%GRPC_STATUS_NUMBER%", "5"},
      {"%PATH(NQ)%", "/a/b"},
      {"%PATH(WQ:PATH)%", "/a/b?x=1&y=2"},
      {"%QUERY_PARAM(y)%", "2"},
      {"%QUERY_PARAMS%", "x=1&y=2"},
      {"%REQ_WITHOUT_QUERY(:PATH)%", "/a/b"},
      {"%ROUTE_NAME% %UPSTREAM_CLUSTER%", "r origin"},
      {"%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT%", "127.0.0.1:8080 8080"},
      {"%UPSTREAM_LOCAL_ADDRESS%", "-"},
      {"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.1"},
      {"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_PORT%",
       "::1 5000"},
      {"%DOWNSTREAM_LOCAL_PORT%", "80"},
      {"%CONNECTION_ID% %STREAM_ID%", "7 8"},
      {"%FILTER_STATE(wasm.key:PLAIN)%", "value"},
      {"%DYNAMIC_METADATA(a:b)%", "-"},
      {"%REQUESTED_SERVER_NAME%", "-"},
      {"%ACCESS_LOG_TYPE%", "DownstreamEnd"},
  };
  for (const auto& [format, expected] : cases) EXPECT_EQ(text(format), expected) << format;
}

TEST_F(FormatTest, FlagsShortAndLong) {
  info.set_flag(ResponseFlag::kUpstreamConnectionFailure);
  info.set_flag(ResponseFlag::kRateLimited);
  EXPECT_EQ(text("%RESPONSE_FLAGS%"), "UF,RL");
  EXPECT_EQ(text("%RESPONSE_FLAGS_LONG%"), "UpstreamConnectionFailure,RateLimited");
}

TEST_F(FormatTest, ValuesCannotEndALine) {
  const std::string line = text("\"%REQ(USER-AGENT)%\"");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line, "\"curl \\\"x\\\"\\r\\n\"");
}

TEST_F(FormatTest, TruncationKeepsSequencesWhole) {
  request.headers.add("x-utf8", "a\xc3\xa9z");
  auto format = Format::compile("%REQ(X-UTF8):2%");
  ASSERT_TRUE(format);
  std::string out;
  format->append(context(), out, Format::Escape::kNo);
  EXPECT_EQ(out, "a");
}

TEST_F(FormatTest, OmitsEmptyValues) {
  EXPECT_EQ(text("[%REQ(X-NONE)%]", true), "[]");
  EXPECT_EQ(text("[%REQ(X-NONE)%]", false), "[-]");
}

TEST_F(FormatTest, ErrorsNameTheOperatorAndItsPlace) {
  EXPECT_EQ(text("a %NOPE% b"), "error: %NOPE%: unknown operator (at offset 2)");
  for (const std::string_view bad :
       {"%", "%REQ%", "%REQ(%", "%REQ(a)", "%REQ(a):x%", "%REQ(a):0%", "%DURATION(x)%",
        "%GRPC_STATUS(x)%", "%COMMON_DURATION(a:b)%", "% x%", "%FILTER_STATE%"})
    EXPECT_FALSE(Format::compile(bad)) << bad;
}

TEST_F(FormatTest, ConstantFormatsKnowIt) {
  EXPECT_EQ(Format::compile("a%%b")->constant(), "a%b");
  EXPECT_EQ(Format::compile("")->constant(), "");
  EXPECT_FALSE(Format::compile("a%PROTOCOL%")->constant());
  EXPECT_FALSE(Format::compile("%PROTOCOL%")->constant());
}

TEST_F(FormatTest, DefaultLine) {
  std::string out;
  default_access_log_format().append(context(), out, Format::Escape::kYes);
  EXPECT_EQ(out,
            "[2023-11-14T22:13:20.123Z] \"GET /a/b?x=1&y=2 HTTP/1.1\" 200 - 10 20 30 - \"-\" "
            "\"curl \\\"x\\\"\\r\\n\" \"-\" \"example.com\" \"127.0.0.1:8080\"\n");
}

TEST_F(FormatTest, LinesOfStreamsWithoutAHead) {
  std::string out;
  StreamInfo empty;
  default_access_log_format().append({empty}, out, Format::Escape::kYes);
  EXPECT_EQ(out.find("\"- - HTTP/1.1\" 0 - 0 0 - - "), out.find('"'));
}

TEST_F(FormatTest, JsonKeepsTypes) {
  auto format = JsonFormat::compile(
      R"({"code": "%RESPONSE_CODE%", "text": "c=%RESPONSE_CODE%", "none": "%REQ(X-NONE)%", "ua": "%REQ(USER-AGENT)%",
          "nested": {"list": ["%PROTOCOL%", 1.5, true, null]}, "esc\u00e9": "\"q\""})",
      false);
  ASSERT_TRUE(format) << format.error().detail;
  std::string out;
  format->append(context(), out, false);
  EXPECT_EQ(out,
            "{\"code\":200,\"text\":\"c=200\",\"none\":null,\"ua\":\"curl \\\"x\\\"\\r\\n\","
            "\"nested\":{\"list\":[\"HTTP/1.1\",1.5,true,null]},\"esc\xc3\xa9\":\"\\\"q\\\"\"}");
  out.clear();
  format->append(context(), out, true);
  EXPECT_EQ(out.find("none"), std::string::npos);
}

TEST_F(FormatTest, JsonSortsProperties) {
  auto format = JsonFormat::compile(R"({"b": "1", "a": "2"})", true);
  ASSERT_TRUE(format);
  std::string out;
  format->append(context(), out, false);
  EXPECT_EQ(out, R"({"a":"2","b":"1"})");
}

TEST_F(FormatTest, JsonErrors) {
  EXPECT_FALSE(JsonFormat::compile("[]", false));
  EXPECT_FALSE(JsonFormat::compile("{", false));
  EXPECT_FALSE(JsonFormat::compile(R"({"a": "%NOPE%"})", false));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{\"a\":";
  deep += "1";
  deep.append(100, '}');
  EXPECT_FALSE(JsonFormat::compile(deep, false));
}

HeaderAdd add(std::string name, std::string_view value, AppendAction action,
              bool keep_empty = false) {
  return {std::move(name), std::move(*Format::compile(value)), action, keep_empty};
}

TEST_F(FormatTest, HeaderOperations) {
  HeaderMap headers;
  headers.add("a", "1");
  headers.add("gone", "x");
  HeaderOps ops;
  ops.remove = {"gone", "missing"};
  ops.add.push_back(add("a", "2", AppendAction::kAppendOrAdd));
  ops.add.push_back(add("a", "3", AppendAction::kAddIfAbsent));
  ops.add.push_back(add("b", "%RESPONSE_CODE%", AppendAction::kAddIfAbsent));
  ops.add.push_back(add("c", "5", AppendAction::kOverwriteIfExists));
  ops.add.push_back(add("d", "6", AppendAction::kOverwriteOrAdd));
  ops.add.push_back(add("d", "7", AppendAction::kOverwriteOrAdd));
  ops.add.push_back(add("e", "%REQ(X-NONE)%", AppendAction::kAppendOrAdd));
  ops.add.push_back(add("f", "", AppendAction::kAppendOrAdd, true));
  ops.add.push_back(
      add("g", "%REQ(USER-AGENT)%", AppendAction::kAppendOrAdd));  // has a line break: not added
  ops.apply(headers, context());
  std::string all;
  for (const auto& entry : headers)
    all += std::string(entry.name) + "=" + std::string(entry.value) + ";";
  EXPECT_EQ(all, "a=1;a=2;b=200;d=7;f=;");
}

TEST(LocalReplyTest, AnswersToWhatTheCodecRefuses) {
  struct Case {
    Code code;
    int status;
    std::string_view body;
    std::string_view details;
  };
  const Case cases[] = {
      {Code::kProtocol, 400, "Bad Request", "http1.codec_error"},
      {Code::kHeadersTooLarge, 431, "Request Header Fields Too Large", "http1.headers_too_large"},
      {Code::kTooManyHeaders, 431, "Request Header Fields Too Large", "http1.too_many_headers"},
      {Code::kBadVersion, 426, "Upgrade Required", "low_version"},
      {Code::kNotImplemented, 501, "Not Implemented", "http1.invalid_transfer_encoding"},
      {Code::kExpectationFailed, 417, "Expectation Failed", "http1.unknown_expectation"},
  };
  for (const Case& c : cases) {
    StreamInfo info;
    const LocalReply reply = codec_error_reply(Error{c.code, Side::kDownstream}, info);
    EXPECT_EQ(reply.status, c.status);
    EXPECT_EQ(reply.body, c.body);
    EXPECT_EQ(reply.details, c.details);
    EXPECT_EQ(response_flags_text(info.flags), "DPE");
  }
}

TEST(LocalReplyTest, TextBody) {
  LocalReply reply;
  reply.status = 403;
  reply.body = "no";
  reply.headers = {
      {"x-why", "because"}, {"content-length", "99"}, {"bad name", "x"}, {"x-split", "a\r\nb"}};
  ResponseHead head;
  Buffer body;
  write_reply(reply, ReplyForm::kText, "", head, body);
  EXPECT_EQ(head.status, 403);
  EXPECT_EQ(body.to_string(), "no");
  EXPECT_EQ(head.headers.get("content-type"), "text/plain");
  EXPECT_EQ(head.headers.get("content-length"), "2");
  EXPECT_EQ(head.headers.get("x-why"), "because");
  EXPECT_EQ(head.headers.size(), 3u);
}

TEST(LocalReplyTest, EmptyBodyHasNoType) {
  LocalReply reply;
  ResponseHead head;
  Buffer body;
  write_reply(reply, ReplyForm::kText, "", head, body);
  EXPECT_TRUE(head.headers.empty());
  EXPECT_TRUE(body.empty());
}

TEST(LocalReplyTest, GrpcGetsTrailersOnly) {
  for (const auto& [http, grpc] :
       std::initializer_list<std::pair<int, std::string_view>>{{400, "13"},
                                                               {401, "16"},
                                                               {403, "7"},
                                                               {404, "12"},
                                                               {429, "14"},
                                                               {503, "14"},
                                                               {500, "2"}}) {
    LocalReply reply;
    reply.status = http;
    reply.body = "100% \xc3\xa9";
    ResponseHead head;
    Buffer body;
    write_reply(reply, ReplyForm::kGrpc, "", head, body);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.get("grpc-status"), grpc);
    EXPECT_EQ(head.headers.get("grpc-message"), "100%25 %C3%A9");
    EXPECT_EQ(head.headers.get("content-type"), "application/grpc");
    EXPECT_TRUE(body.empty());
  }
}

TEST(LocalReplyTest, KnowsGrpcRequests) {
  const std::pair<std::string_view, bool> cases[] = {{"application/grpc", true},
                                                     {"application/grpc+proto", true},
                                                     {"application/grpc-web", false},
                                                     {"text/plain", false}};
  for (const auto& [type, expected] : cases) {
    HeaderMap headers;
    headers.add("content-type", type);
    EXPECT_EQ(is_grpc_request(headers), expected) << type;
  }
  EXPECT_FALSE(is_grpc_request(HeaderMap()));
}

}  // namespace
}  // namespace weir::stream
