// Access log lines and local replies as clients and operators see them.
#include "proxy/access_log.h"

#include <filesystem>
#include <fstream>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/proxy/session_fixture.h"

namespace weir::proxy::test {
namespace {

class AccessLogTest : public SessionTest {
 protected:
  AccessLogTest() {
    folder_ = std::filesystem::temp_directory_path() / ("weir_log_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~AccessLogTest() override { std::filesystem::remove_all(folder_); }
  std::string path(std::string_view name = "log") const { return (folder_ / name).string(); }
  static std::string read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string written(std::string_view name = "log") {
    worker_log.flush();
    logs.flush();
    return read(path(name));
  }
  AccessLogOptions& add_log(std::string_view format) {
    AccessLogOptions& log = options.access_logs.emplace_back();
    log.path = path();
    auto compiled = stream::Format::compile(format);
    EXPECT_TRUE(compiled);
    log.text = std::move(*compiled);
    return log;
  }
  static std::unique_ptr<LogFilter> status_at_least(uint64_t status) {
    auto filter = std::make_unique<LogFilter>();
    filter->compare = LogFilter::Compare::kGe;
    filter->value = status;
    return filter;
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(AccessLogTest, OneLineForEveryStream) {
  add_log(
      "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "
      "%BYTES_RECEIVED% "
      "%BYTES_SENT% %DOWNSTREAM_REMOTE_ADDRESS%\n");
  Client client = connect();
  exchange(client, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  origin.on_request = [](Upstream& upstream) {
    LocalReply reply;
    reply.status = 503;
    reply.body = "down";
    reply.details_text = "no good reason";
    upstream.callbacks().stream_info().set_flag(ResponseFlag::kNoHealthyUpstream);
    upstream.callbacks().reply(std::move(reply));
  };
  exchange(client, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  exchange(client, "GET /bad HTTP/1.1\r\n\r\n");
  Client quitter = connect();
  send(quitter, "GET /c");
  hang_up(quitter);
  turn();
  EXPECT_EQ(written(),
            "POST /a 200 - - 3 2 10.1.2.3:5555\n"
            "GET /b 503 UH no_good_reason 0 4 10.1.2.3:5555\n"
            "- - 400 DPE http1.codec_error 0 11 10.1.2.3:5555\n"
            "- - 0 DC downstream_remote_disconnect 0 0 10.1.2.3:5555\n");
  EXPECT_EQ(store.counter_value("access_log.written"), 4u);
}

TEST_F(AccessLogTest, Filters) {
  add_log("%RESPONSE_CODE%\n").filter = status_at_least(400);
  int status = 200;
  origin.on_request = [&status](Upstream& upstream) { upstream.respond(status); };
  Client client = connect();
  for (status = 200; status <= 500; status += 100)
    exchange(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(written(), "400\n500\n");
}

TEST_F(AccessLogTest, JsonLines) {
  AccessLogOptions& log = options.access_logs.emplace_back();
  log.path = path();
  log.json = std::move(*stream::JsonFormat::compile(
      R"({"code": "%RESPONSE_CODE%", "ua": "%REQ(USER-AGENT)%"})", true));
  Client client = connect();
  exchange(client, "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \"\xff\\\r\n\r\n");
  EXPECT_EQ(written(), "{\"code\":200,\"ua\":\"\\\"\xef\xbf\xbd\\\\\"}\n");
}

TEST_F(AccessLogTest, ReopensAfterARotation) {
  add_log("%REQ(:PATH)%\n");
  Client client = connect();
  exchange(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(written(), "/1\n");
  std::filesystem::rename(path(), path("old"));
  exchange(client, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(written("old"), "/1\n/2\n");
  logs.reopen();
  logs.flush();
  exchange(client, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(written(), "/3\n");
}

TEST_F(AccessLogTest, FifoWithoutReaderDropsAndCounts) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  add_log("x\n");
  Client client = connect();
  EXPECT_TRUE(has(exchange(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK"));
  worker_log.flush();
  logs.flush();
  EXPECT_EQ(store.counter_value("access_log.dropped"), 1u);
}

// A reader that has stopped reading is waited for once, and not for each batch; the line that it got half of is ended.
TEST_F(AccessLogTest, StalledFileHoldsUpNeitherTheOthersNorTheEnd) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  const int reader = ::open(path("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  auto stalled = logs.open_file(path("fifo"));
  auto other = logs.open_file(path("other"));
  ASSERT_TRUE(stalled && other);
  const auto began = std::chrono::steady_clock::now();
  logs.submit(**stalled, std::string(256 * 1024, 'x') + "\n", 1);  // more than a pipe holds
  for (int i = 0; i < 10; ++i) logs.submit(**stalled, "dropped\n", 1);
  logs.submit(**other, "taken\n", 1);
  logs.flush();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  EXPECT_EQ(read(path("other")), "taken\n");
  EXPECT_EQ(store.counter_value("access_log.dropped"), 11u);
  std::string piece(1024 * 1024, '\0');
  EXPECT_GT(::read(reader, piece.data(), piece.size()), 0);
  logs.submit(**stalled, "whole\n", 1);
  logs.flush();
  const ssize_t size = ::read(reader, piece.data(), piece.size());
  EXPECT_EQ(piece.substr(0, static_cast<size_t>(std::max<ssize_t>(size, 0))), "\nwhole\n");
  ::close(reader);
}

TEST_F(AccessLogTest, FullQueueDropsWholeBatches) {
  auto scope = store.scope("small.");
  AccessLogWriter small(
      *scope,
      {.batch_bytes = 16, .flush_interval = std::chrono::milliseconds(10), .queue_bytes = 8});
  auto file = small.open_file(path());
  ASSERT_TRUE(file);
  small.submit(**file, "longer than the queue\n", 1);
  small.submit(**file, "short\n", 1);
  small.stop();
  EXPECT_EQ(read(path()), "short\n");
  EXPECT_EQ(store.counter_value("small.dropped"), 1u);
  small.submit(**file, "late\n", 1);
  EXPECT_EQ(store.counter_value("small.dropped"), 2u);
}

TEST_F(AccessLogTest, UnwritablePathIsAnError) {
  const auto file = logs.open_file("/nonexistent/folder/log");
  ASSERT_FALSE(file);
  EXPECT_TRUE(has(file.error().detail, "/nonexistent/folder/log"));
}

TEST_F(AccessLogTest, LinesComeWithTheTimer) {
  add_log("x\n");
  AccessLogWriter quick(*log_stats,
                        {.batch_bytes = 65536, .flush_interval = std::chrono::milliseconds(5)});
  WorkerLog worker(quick, loop);
  auto file = quick.open_file(path("quick"));
  worker.batch(**file) += "line\n";
  worker.line_added(**file);
  EXPECT_TRUE(wait([&] { return read(path("quick")) == "line\n"; }));
}

TEST_F(AccessLogTest, LocalReplyMappers) {
  LocalReplyMapper mapper;
  mapper.filter = status_at_least(500);
  mapper.status = 418;
  mapper.body = "teapot";
  mapper.headers.add.push_back(
      {"x-mapped", std::move(*stream::Format::compile("%RESPONSE_CODE%")), {}, false});
  options.local_reply.mappers.push_back(std::move(mapper));
  options.local_reply.json_format = std::move(*stream::JsonFormat::compile(
      R"({"code": "%RESPONSE_CODE%", "body": "%LOCAL_REPLY_BODY%"})", true));
  int status = 503;
  origin.on_request = [&status](Upstream& upstream) {
    LocalReply reply;
    reply.status = status;
    reply.body = "original";
    upstream.callbacks().reply(std::move(reply));
  };
  Client client = connect();
  std::string answer = exchange(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 418 ")) << answer;
  EXPECT_TRUE(has(answer, "content-type: application/json\r\n")) << answer;
  EXPECT_TRUE(has(answer, "x-mapped: 418\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n{\"body\":\"teapot\",\"code\":418}\n")) << answer;
  status = 404;
  answer = exchange(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("{\"body\":\"original\",\"code\":404}\n")) << answer;
}

TEST_F(AccessLogTest, HeadGetsNoBody) {
  origin.on_request = [](Upstream& upstream) {
    LocalReply reply;
    reply.status = 404;
    reply.body = "nothing here";
    upstream.callbacks().reply(std::move(reply));
  };
  Client client = connect();
  const std::string answer = exchange(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(has(answer, "content-length: 12\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  EXPECT_FALSE(client.closed);
}

TEST_F(AccessLogTest, GrpcRequestsGetTrailersOnly) {
  origin.on_request = [](Upstream& upstream) {
    LocalReply reply;
    reply.status = 503;
    reply.body = "down";
    upstream.callbacks().reply(std::move(reply));
  };
  Client client = connect();
  const std::string answer =
      exchange(client,
               "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n"
               "Content-Length: 0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK")) << answer;
  EXPECT_TRUE(has(answer, "grpc-status: 14\r\n") && has(answer, "grpc-message: down\r\n"))
      << answer;
}

}  // namespace
}  // namespace weir::proxy::test
