// The admin listener: what it shows, what it changes, and whom it refuses.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

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

TEST(Admin, WrongMethodSaysWhatIsAllowed) {
  TestProxy proxy(yaml());
  EXPECT_EQ(proxy.admin_message("/quitquitquit").header("allow"), "POST");
  EXPECT_EQ(proxy.admin_message("/stats", "PUT").header("allow"), "GET, HEAD");
  EXPECT_EQ(proxy.admin_message("/reload", "DELETE").header("allow"), "GET, HEAD, POST");
}

// A page of another program on this host is as foreign as one of another host.
TEST(Admin, OriginIsHostAndPort) {
  TestProxy proxy(yaml());
  std::string address;
  proxy.on_main([&proxy, &address] { address = proxy.server().admin_address(); });
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  const auto status = [&](const std::string& origin) {
    Peer peer = Peer::connect(port);
    peer.send("POST /reset_counters HTTP/1.1\r\nHost: " + address + "\r\nOrigin: " + origin +
              "\r\ncontent-length: 0\r\n\r\n");
    return peer.read_message().status();
  };
  EXPECT_EQ(status("http://" + address), 200);
  EXPECT_EQ(status("http://127.0.0.1:1"), 403);
  EXPECT_EQ(status("http://localhost:" + std::to_string(port)), 403);
  EXPECT_EQ(status("null"), 403);
}

// Every line is a comment or a sample under its TYPE, no series comes twice, buckets are cumulative up to the count.
TEST(Admin, PrometheusTextIsWellFormed) {
  TestProxy proxy(yaml());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_message().body, "ok");
  const Peer::Message page = proxy.admin_message("/stats/prometheus");
  EXPECT_EQ(page.header("content-type"), "text/plain; version=0.0.4");
  const std::regex sample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*\})? ([-+.0-9e]+|NaN|[+]Inf))re");
  const std::regex part("_(bucket|sum|count)$");
  std::set<std::string> types, series;
  std::string type, line;
  double bucket = 0;
  std::istringstream lines(page.body);
  while (std::getline(lines, line)) {
    std::smatch match;
    if (line.starts_with("# TYPE ")) {
      type = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(types.insert(type).second) << line;
      continue;
    }
    if (line.starts_with("#") || line.empty()) continue;
    ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
    const std::string name = match[1];
    EXPECT_TRUE(name == type || std::regex_replace(name, part, "") == type) << line << type;
    EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << line;
    const double value = std::stod(match[3]);
    if (name.ends_with("_bucket")) {
      EXPECT_GE(value, bucket) << line;
      bucket = value;
    } else if (name.ends_with("_count")) {
      EXPECT_EQ(value, bucket) << line;
      bucket = 0;
    }
  }
  EXPECT_GT(series.size(), 20u);
}

TEST(Admin, AccessLogOfAdminIsWritten) {
  TempFolder folder;
  const std::string path = folder.path() + "/admin.log";
  std::string text = yaml();
  text.replace(text.find("admin: {"), 8, "admin: {access_log_path: " + path + ", ");
  TestProxy proxy(text);
  EXPECT_EQ(proxy.admin_message("/ready").status(), 200);
  EXPECT_EQ(proxy.admin_message("/nothing?x=\"", "POST").status(), 404);
  proxy.stop();
  std::ifstream file(path);
  const std::string log{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(log.find("] \"GET /ready HTTP/1.1\" 200 - 0 5 \"-\" \"127.0.0.1:"), std::string::npos)
      << log;
  EXPECT_NE(log.find("\"POST /nothing?x=\\\" HTTP/1.1\" 404"), std::string::npos) << log;
}

TEST(Admin, ADrainingProcessIsNotMadeHealthyAgain) {
  TestProxy proxy(yaml());
  proxy.server().quit(server::Server::Quit::kDrain);
  proxy.wait_for("not ready", [&proxy] { return proxy.admin_message("/ready").status() == 503; });
  proxy.admin("/healthcheck/ok", "POST");
  EXPECT_TRUE(proxy.server().health_check_failed());
  EXPECT_EQ(proxy.admin_message("/reload", "POST").status(), 409);
  EXPECT_NE(proxy.admin("/reload").find("\"state\":\"draining\""), std::string::npos);
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
  EXPECT_NE(proxy.admin("/logging").find("http: critical"), std::string::npos);
  EXPECT_EQ(proxy.admin_message("/logging?level=trace").status(), 405);
  EXPECT_NE(proxy.admin("/logging").find("http: critical"), std::string::npos);
}

TEST(Admin, QuitEndsTheProcessInOrder) {
  TestProxy proxy(yaml());
  EXPECT_EQ(proxy.admin("/quitquitquit", "POST"), "OK\n");
  EXPECT_EQ(proxy.stop(), 0);
}

TEST(Admin, ClustersShowTheirNameInStatsAndBothPriorities) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.cluster =
      "alt_stat_name: seen\ncircuit_breakers:\n  thresholds:\n  - {max_connections: 7}\n"
      "  - {priority: HIGH, max_requests: 9}\n";
  TestProxy proxy(yaml.text());
  const std::string text = proxy.admin("/clusters");
  for (const char* line :
       {"origin::observability_name::seen\n", "origin::default_priority::max_connections::7\n",
        "origin::default_priority::max_requests::1024\n",
        "origin::high_priority::max_connections::1024\n",
        "origin::high_priority::max_pending_requests::1024\n",
        "origin::high_priority::max_requests::9\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  const std::string json = proxy.admin("/clusters?format=json");
  EXPECT_TRUE(base::json_valid(json)) << json;
  for (const char* part :
       {"\"observability_name\":\"seen\"",
        "{\"priority\":\"DEFAULT\",\"max_connections\":7,\"max_pending_requests\":1024,"
        "\"max_requests\":1024}",
        "{\"priority\":\"HIGH\",\"max_connections\":1024,\"max_pending_requests\":1024,"
        "\"max_requests\":9}"})
    EXPECT_NE(json.find(part), std::string::npos) << part << json;
}

TEST(Admin, ServerInfoShowsTheCommandLine) {
  TestProxy proxy(yaml(), {.from_file = true, .drain_time = std::chrono::seconds(3)});
  const std::string info = proxy.admin("/server_info");
  for (const std::string& part :
       {std::string("\"state\":\"LIVE\""), std::string("\"concurrency\":1"),
        "\"config_path\":\"" + proxy.config_path() + "\"", std::string("\"log_level\":\""),
        std::string("\"component_log_level\":\"\""), std::string("\"drain_time\":\"3s\""),
        std::string("\"admin_address_path\":\"\""), std::string("\"service_node\":\"\"")})
    EXPECT_NE(info.find(part), std::string::npos) << part << info;
}

// ---- POST /drain_listeners ---------------------------------------------------------------------------------------------

/// The configuration with a listener of each name and traffic direction in place of the one.
std::string with_listeners(const std::vector<std::pair<std::string, std::string>>& listeners) {
  const std::string text = yaml();
  const std::string name = "  - name: main\n";
  const size_t begin = text.find(name);
  const size_t end = text.find("  clusters:\n");
  std::string out = text.substr(0, begin);
  for (const auto& [listener, direction] : listeners)
    out += "  - name: " + listener + "\n    traffic_direction: " + direction + "\n" +
           text.substr(begin + name.size(), end - begin - name.size());
  return out + text.substr(end);
}

const std::vector<std::pair<std::string, std::string>> kInAndOut = {{"in", "INBOUND"},
                                                                    {"out", "OUTBOUND"}};

/// What an answer on the connection says of its future.
std::string connection_header(Peer& client) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.body, "ok");
  return answer.header("connection");
}
std::string connection_header(Peer&& client) { return connection_header(client); }

bool refuses(uint16_t port) {
  try {
    Peer::connect(port);
    return false;
  } catch (const std::exception&) {
    return true;
  }
}

TEST(Admin, DrainListenersClosesThemAndLeavesConnections) {
  TestProxy proxy(with_listeners(kInAndOut));
  const uint16_t in = proxy.port("in"), out = proxy.port("out");
  Peer client = Peer::connect(in);
  EXPECT_EQ(connection_header(client), "");
  EXPECT_EQ(proxy.admin("/drain_listeners?inboundonly", "POST"), "OK\n");
  proxy.wait_for("the inbound listener is closed", [in] { return refuses(in); });
  EXPECT_EQ(connection_header(client), "");
  EXPECT_EQ(connection_header(Peer::connect(out)), "");
  EXPECT_EQ(proxy.admin("/drain_listeners", "POST"), "OK\n");
  proxy.wait_for("the other is closed", [out] { return refuses(out); });
  EXPECT_EQ(connection_header(client), "");
}

TEST(Admin, GracefulDrainSaysCloseAndGoesOnAccepting) {
  TestProxy proxy(with_listeners(kInAndOut),
                  {.from_file = true, .drain_time = std::chrono::hours(1)});
  const uint16_t in = proxy.port("in"), out = proxy.port("out");
  Peer open_in = Peer::connect(in), open_out = Peer::connect(out);
  EXPECT_EQ(connection_header(open_in), "");
  EXPECT_EQ(proxy.admin("/drain_listeners?graceful&inboundonly", "POST"), "OK\n");
  proxy.wait_for("the inbound listener drains",
                 [in] { return connection_header(Peer::connect(in)) == "close"; });
  EXPECT_EQ(connection_header(open_in), "close");
  EXPECT_TRUE(open_in.closed());
  EXPECT_EQ(connection_header(open_out), "");
  // A listener that an edit adds is not drained, and one that the edit keeps goes on draining.
  auto listeners = kInAndOut;
  listeners.emplace_back("new", "INBOUND");
  proxy.write_config(with_listeners(listeners));
  proxy.wait_for_generation(2);
  EXPECT_EQ(connection_header(proxy.connect("new")), "");
  EXPECT_EQ(connection_header(Peer::connect(in)), "close");
  EXPECT_EQ(connection_header(open_out), "");
}

TEST(Admin, GracefulDrainEndsWithTheDrainTime) {
  TestProxy proxy(with_listeners(kInAndOut), {.drain_time = std::chrono::seconds(1)});
  const uint16_t in = proxy.port("in"), out = proxy.port("out");
  Peer idle = Peer::connect(in);
  EXPECT_EQ(connection_header(idle), "");
  EXPECT_EQ(proxy.admin("/drain_listeners?graceful&inboundonly", "POST"), "OK\n");
  proxy.wait_for("the inbound listener is closed", [in] { return refuses(in); });
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(connection_header(Peer::connect(out)), "");
}

TEST(Admin, GracefulDrainMayGoOnAcceptingForEver) {
  TestProxy proxy(yaml(), {.drain_time = std::chrono::seconds(0)});
  EXPECT_EQ(proxy.admin_message("/drain_listeners?skip_exit", "POST").status(), 400);
  EXPECT_EQ(connection_header(proxy.connect()), "");
  EXPECT_EQ(proxy.admin("/drain_listeners?graceful&skip_exit", "POST"), "OK\n");
  proxy.wait_for("the listener drains",
                 [&proxy] { return connection_header(proxy.connect()) == "close"; });
  EXPECT_EQ(connection_header(proxy.connect()), "close");
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
