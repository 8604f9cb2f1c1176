// What the log says of a request, and what it must not say.
#include <gtest/gtest.h>

#include <fstream>

#include "support/log_lines.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

class LogTest : public ::testing::Test {
 protected:
  /// The line with these words; empty if there is none.
  std::string line_with(std::string_view component, std::string_view message) const {
    return lines_.first_with("[" + std::string(component) + "] " + std::string(message));
  }
  static void expect_part(const std::string& line, std::string_view part) {
    EXPECT_NE(line.find(part), std::string::npos) << part << " is not in: " << line;
  }

  const LogLines lines_;
};

/// One request whose query, header and body are secrets, until its connection has closed.
void send_request(TestProxy& proxy) {
  const uint64_t closed = proxy.counter("http.ingress.downstream_cx_destroy");
  Peer client = proxy.connect();
  client.send(
      "POST /shop?token=secret HTTP/1.1\r\nHost: a.example\r\nx-key: secret\r\n"
      "content-length: 6\r\n\r\nsecret");
  EXPECT_EQ(client.read_message().status(), 200);
  client.close();
  proxy.wait_for("the connection is closed", [&proxy, closed] {
    return proxy.counter("http.ingress.downstream_cx_destroy") > closed;
  });
}

TEST_F(LogTest, DebugFollowsARequestWithoutItsSecrets) {
  AutoOrigin origin(
      [](const Peer::Message&) { return response("secret", 200, "set-cookie: secret\r\n"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  proxy.admin("/logging?level=info", "POST");
  send_request(proxy);
  EXPECT_EQ(lines_.text(), "") << "nothing is logged per request above debug";

  proxy.admin("/logging?level=debug", "POST");
  send_request(proxy);
  proxy.wait_for("the last line",
                 [this] { return !line_with("connection", "connection closed").empty(); });
  EXPECT_EQ(lines_.text().find("secret"), std::string::npos) << lines_.text();
  const std::string host = "127.0.0.1:" + std::to_string(origin.port());
  expect_part(line_with("connection", "connection accepted"), " listener=main");
  expect_part(line_with("http", "request "), " method=POST host=a.example path=/shop");
  expect_part(line_with("router", "request sent upstream"), " upstream=" + host);
  const std::string ended = line_with("http", "request ended");
  for (const std::string& part :
       {std::string(" remote=127.0.0.1:"), std::string(" status=200 flags=- details=via_upstream"),
        " cluster=origin upstream=" + host, std::string(" attempts=1 received=6 sent=6 ")})
    expect_part(ended, part);
  expect_part(line_with("connection", "connection closed"),
              " by=client why=\"the client closed\" requests=1 ");
}

TEST_F(LogTest, UpstreamFailuresSayWhy) {
  Yaml yaml;
  yaml.origin_port = Origin().port();  // nobody listens there any more
  TestProxy proxy(yaml.text());
  proxy.admin("/logging?level=debug", "POST");
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_message().status(), 503);
  expect_part(line_with("upstream", "connect failed"), " why=\"connect: Connection refused\"");
  expect_part(line_with("router", "upstream failed"), " cluster=origin ");
  expect_part(line_with("http", "request ended"), " status=503 flags=UF ");
}

TEST_F(LogTest, LinesSayTheirThread) {
  AutoOrigin origin([](const Peer::Message&) { return response("ok"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  proxy.admin("/logging?level=debug", "POST");
  send_request(proxy);
  EXPECT_EQ(lines_.with("[worker_0][debug][http] request connection="), 1u) << lines_.text();
  proxy.admin("/reload", "POST");
  proxy.wait_for("the line of main", [this] {
    return lines_.with("[main][info][config] configuration read again") == 1;
  });
}

TEST(LogComponents, StandInTheDocumentation) {
  std::ifstream file(source_path("docs/operations.md"));
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (unsigned i = 0; i < static_cast<unsigned>(base::Component::kCount_); ++i) {
    const std::string name(base::component_name(static_cast<base::Component>(i)));
    EXPECT_NE(page.find("\n| `" + name + "` | "), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace weir::test
