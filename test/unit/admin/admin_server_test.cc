// Which requests the admin listener lets in: Host and Origin have to name it.
#include "admin/admin_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/admin/fake_backend.h"

namespace weir::admin {
namespace {

class AdminServerTest : public ::testing::Test {
 protected:
  void listen(std::string_view address) {
    auto made = AdminServer::listen(loop_, backend_, net::Address::ip(address, 0).value());
    ASSERT_TRUE(made) << made.error().detail;
    server_ = std::move(*made);
  }
  std::string port() const { return std::to_string(server_->local().port()); }
  /// The status of one exchange on a connection of its own; `headers` are whole lines.
  int ask(const std::string& headers, const std::string& method = "GET",
          const std::string& target = "/ready") {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server_->local().port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    const std::string request = method + " " + target + " HTTP/1.1\r\n" + headers + "\r\n";
    EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    std::string answer;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    char bytes[4096];
    while (answer.find("\r\n\r\n") == std::string::npos &&
           std::chrono::steady_clock::now() < deadline) {
      loop_.run_once(std::chrono::milliseconds(20));
      const ssize_t size = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (size == 0) break;
      if (size > 0) answer.append(bytes, static_cast<size_t>(size));
    }
    ::close(fd);
    return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
  }
  int ask_host(const std::string& host) { return ask("Host: " + host + "\r\n"); }
  int ask_origin(const std::string& origin, const std::string& method = "POST") {
    return ask("Host: localhost:" + port() + "\r\nOrigin: " + origin + "\r\n", method,
               method == "POST" ? "/healthcheck/fail" : "/ready");
  }

  event::Loop loop_;
  FakeBackend backend_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, HostIsThisListener) {
  listen("127.0.0.1");
  for (const std::string& host :
       {std::string("127.0.0.1"), "127.0.0.1:" + port(), std::string("localhost"),
        "localhost:" + port(), std::string("[::1]:80")})
    EXPECT_EQ(ask_host(host), 200) << host;
}

TEST_F(AdminServerTest, ForeignHostsAreRefused) {
  listen("127.0.0.1");
  for (const std::string& host :
       {std::string("evil.example"), "evil.example:" + port(), std::string("127.0.0.2"),
        std::string("localhost.evil.example"), std::string("127.0.0.1.evil.example"),
        std::string("[::2]"), std::string("0.0.0.0")})
    EXPECT_EQ(ask_host(host), 403) << host;
  EXPECT_EQ(backend_.last_status, 403);
}

TEST_F(AdminServerTest, OnAWildcardTheAddressThatWasReachedCounts) {
  listen("0.0.0.0");
  EXPECT_EQ(ask_host("127.0.0.1:" + port()), 200);
  EXPECT_EQ(ask_host("localhost"), 200);
  EXPECT_EQ(ask_host("[::1]"), 403);
  EXPECT_EQ(ask_host("192.0.2.1"), 403);
}

TEST_F(AdminServerTest, PagesOfOthersChangeNothing) {
  listen("127.0.0.1");
  const std::string own = "localhost:" + port();
  for (const std::string& origin :
       {std::string("http://evil.example"), std::string("null"), std::string("http://localhost"),
        std::string("http://localhost:1"), "http://127.0.0.1:" + port(), own, std::string()})
    EXPECT_EQ(ask_origin(origin), 403) << origin;
  EXPECT_EQ(backend_.changes, "");
  EXPECT_EQ(ask_origin("http://" + own), 200);
  EXPECT_EQ(ask_origin("HTTP://LOCALHOST:" + port()), 200);
  EXPECT_EQ(backend_.changes, "health failed;health failed;");
}

TEST_F(AdminServerTest, AReadByALocalFileIsServedAndOneByAnotherSiteIsNot) {
  listen("127.0.0.1");
  EXPECT_EQ(ask_origin("null", "GET"), 200);
  EXPECT_EQ(ask_origin("http://evil.example", "GET"), 403);
}

TEST_F(AdminServerTest, TheHostIsCheckedBeforeTheEndpoint) {
  listen("127.0.0.1");
  EXPECT_EQ(ask("Host: evil.example\r\n", "POST", "/quitquitquit"), 403);
  EXPECT_EQ(ask("Host: evil.example\r\n", "GET", "/nothing"), 403);
  EXPECT_EQ(backend_.changes, "");
}

}  // namespace
}  // namespace weir::admin
