// The admin listener: what it shows, what it changes, and whom it refuses.
#include <gtest/gtest.h>

#include "base/json.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

constexpr const char* kDirect =
    "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: ok}}\n";

std::string yaml() {
  Yaml yaml;
  yaml.routes = kDirect;
  return yaml.text();
}

TEST(Admin, ShowsStateAndJsonIsValid) {
  TestProxy proxy(yaml());
  EXPECT_EQ(proxy.admin("/ready"), "LIVE\n");
  for (const char* page :
       {"/server_info", "/config_dump", "/memory", "/reload", "/wasm", "/clusters?format=json",
        "/listeners?format=json", "/stats?format=json"}) {
    const Peer::Message answer = proxy.admin_message(page);
    EXPECT_EQ(answer.status(), 200) << page;
    EXPECT_EQ(answer.header("content-type"), "application/json") << page;
    EXPECT_TRUE(base::json_valid(answer.body)) << page << ": " << answer.body;
    EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
  }
  EXPECT_NE(proxy.admin("/").find("<a href=\"/stats\">"), std::string::npos);
  EXPECT_NE(proxy.admin("/listeners").find("main::127.0.0.1:"), std::string::npos);
  EXPECT_NE(proxy.admin("/clusters").find("origin::127.0.0.1:9::cx_active::0"), std::string::npos);
}

TEST(Admin, CountsRequestsAndResets) {
  TestProxy proxy(yaml());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_message().body, "ok");
  client.close();
  proxy.wait_for("the request is counted", [&proxy] {
    return proxy.admin("/stats?filter=downstream_rq_2xx")
               .find("http.ingress.downstream_rq_2xx: 1") != std::string::npos;
  });
  EXPECT_NE(proxy.admin("/stats/prometheus").find("envoy_http_downstream_rq_xx{"),
            std::string::npos);
  EXPECT_EQ(proxy.admin("/reset_counters", "POST"), "OK\n");
  EXPECT_NE(
      proxy.admin("/stats?filter=downstream_rq_2xx").find("http.ingress.downstream_rq_2xx: 0"),
      std::string::npos);
}

TEST(Admin, GetReadsAndPostChanges) {
  TestProxy proxy(yaml());
  EXPECT_EQ(proxy.admin_message("/nothing").status(), 404);
  const Peer::Message wrong = proxy.admin_message("/quitquitquit");
  EXPECT_EQ(wrong.status(), 405);
  EXPECT_NE(wrong.body.find("POST required"), std::string::npos);
  EXPECT_EQ(proxy.admin_message("/stats", "POST").status(), 405);
  EXPECT_EQ(proxy.admin_message("/stats", "DELETE").status(), 405);
  EXPECT_EQ(proxy.admin_message("/stats?filter=(").status(), 400);
}

TEST(Admin, RefusesForeignHostsAndOrigins) {
  TestProxy proxy(yaml());
  std::string address;
  proxy.on_main([&proxy, &address] { address = proxy.server().admin_address(); });
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  for (const std::string& headers : {std::string("Host: evil.example\r\n"),
                                     "Host: " + address + "\r\nOrigin: http://evil.example\r\n"}) {
    Peer peer = Peer::connect(port);
    peer.send("POST /quitquitquit HTTP/1.1\r\n" + headers + "content-length: 0\r\n\r\n");
    EXPECT_EQ(peer.read_message().status(), 403) << headers;
  }
  EXPECT_EQ(proxy.admin("/ready"), "LIVE\n");
}

TEST(Admin, HealthCheckFailTakesTheProcessOut) {
  TestProxy proxy(yaml());
  EXPECT_EQ(proxy.admin("/healthcheck/fail", "POST"), "OK\n");
  EXPECT_EQ(proxy.admin_message("/ready").status(), 503);
  EXPECT_EQ(proxy.admin("/healthcheck/ok", "POST"), "OK\n");
  EXPECT_EQ(proxy.admin_message("/ready").status(), 200);
}

TEST(Admin, LoggingChangesLevels) {
  TestProxy proxy(yaml());
  EXPECT_NE(proxy.admin("/logging?http=trace", "POST").find("http: trace"), std::string::npos);
  EXPECT_NE(proxy.admin("/logging?level=critical", "POST").find("http: critical"),
            std::string::npos);
  EXPECT_EQ(proxy.admin_message("/logging?nothing=trace", "POST").status(), 400);
}

TEST(Admin, QuitEndsTheProcessInOrder) {
  TestProxy proxy(yaml());
  EXPECT_EQ(proxy.admin("/quitquitquit", "POST"), "OK\n");
  EXPECT_EQ(proxy.stop(), 0);
}

TEST(Admin, DrainListenersClosesThem) {
  TestProxy proxy(yaml());
  const uint16_t port = proxy.port();
  proxy.admin("/drain_listeners", "POST");
  proxy.wait_for("the listener is closed", [port] {
    try {
      Peer::connect(port);
      return false;
    } catch (const std::exception&) {
      return true;
    }
  });
}

TEST(Admin, PipelinedAdminRequestsAreAnsweredInOrder) {
  TestProxy proxy(yaml());
  std::string address;
  proxy.on_main([&proxy, &address] { address = proxy.server().admin_address(); });
  Peer peer =
      Peer::connect(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  std::string both;
  for (const char* page : {"/ready", "/nothing"})
    both += "GET " + std::string(page) + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n";
  peer.send(both);
  EXPECT_EQ(peer.read_message().status(), 200);
  EXPECT_EQ(peer.read_message().status(), 404);
}

}  // namespace
}  // namespace weir::test
