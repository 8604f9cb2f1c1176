// Edits of the running configuration: every kind of change, every way to write a file, rejected edits, and edits under load.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

std::string get(Peer& client, std::string_view path = "/") {
  client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  return client.read_message().body;
}

std::string direct(std::string_view body) {
  return "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: '" +
         std::string(body) + "'}}\n";
}

std::string yaml_with(std::string_view body) {
  Yaml yaml;
  yaml.routes = direct(body);
  return yaml.text();
}

const TestProxy::Options kFromFile{.workers = 2, .from_file = true};

enum class Write : uint8_t { kInPlace, kRename, kLinkFlip };

class ReloadWriteTest : public ::testing::TestWithParam<Write> {};

TEST_P(ReloadWriteTest, NextRequestOnAnOpenConnectionIsTheNewOnes) {
  TestProxy proxy(yaml_with("one"), kFromFile);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "one");
  switch (GetParam()) {
    case Write::kInPlace:
      proxy.folder().write("weir.yaml", yaml_with("two"));
      break;
    case Write::kRename:
      proxy.folder().write_renamed("weir.yaml", yaml_with("two"));
      break;
    case Write::kLinkFlip: {
      namespace fs = std::filesystem;
      const fs::path root = proxy.folder().path();
      fs::create_directory(root / "..v2");
      proxy.folder().write("..v2/weir.yaml", yaml_with("two"));
      fs::create_directory_symlink("..v2", root / "..data_tmp");
      fs::rename(root / "..data_tmp", root / "..data");
      fs::create_symlink("..data/weir.yaml", root / "link");
      fs::rename(root / "link", root / "weir.yaml");
      break;
    }
  }
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(client), "two");
}
INSTANTIATE_TEST_SUITE_P(Ways, ReloadWriteTest,
                         ::testing::Values(Write::kInPlace, Write::kRename, Write::kLinkFlip));

TEST(Reload, KubernetesFlipOfTheDataLinkIsSeen) {
  namespace fs = std::filesystem;
  TempFolder folder;
  const fs::path root = folder.path();
  fs::create_directory(root / "..v1");
  folder.write("..v1/body.txt", "one");
  fs::create_directory_symlink("..v1", root / "..data");
  fs::create_symlink("..data/body.txt", root / "body.txt");
  Yaml yaml;
  yaml.routes = "- match: {prefix: /}\n  direct_response: {status: 200, body: {filename: " +
                (root / "body.txt").string() + "}}\n";
  TestProxy proxy(yaml.text(), kFromFile);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "one");
  fs::create_directory(root / "..v2");
  folder.write("..v2/body.txt", "two");
  fs::create_directory_symlink("..v2", root / "..data_tmp");
  fs::rename(root / "..data_tmp", root / "..data");
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(client), "two");
}

TEST(Reload, RejectedEditChangesNothingAndIsReadable) {
  TestProxy proxy(yaml_with("one"), kFromFile);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "one");
  std::string broken = yaml_with("two");
  broken.replace(broken.find("stat_prefix"), 11, "statprefix");
  proxy.write_config(broken);
  proxy.wait_for_rejection(1);
  EXPECT_EQ(get(client), "one");
  const std::string reload = proxy.admin("/reload");
  EXPECT_NE(reload.find("\"state\":\"rejected\""), std::string::npos) << reload;
  EXPECT_NE(reload.find("unknown field"), std::string::npos) << reload;
  EXPECT_NE(reload.find("stat_prefix"), std::string::npos) << reload;
  EXPECT_EQ(proxy.generation(), 1u);
  EXPECT_EQ(proxy.gauge("config.last_reload_ok"), 0);
  proxy.write_config(yaml_with("three"));
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(client), "three");
  EXPECT_EQ(proxy.gauge("config.last_reload_ok"), 1);
}

TEST(Reload, PostReloadAnswersWithTheOutcome) {
  Yaml yaml;
  yaml.routes = direct("one");
  yaml.bootstrap = "reload: {watch: false}\n";
  TestProxy proxy(yaml.text(), kFromFile);
  Peer client = proxy.connect();
  yaml.routes = direct("two");
  proxy.write_config(yaml.text());
  EXPECT_EQ(get(client), "one");
  const Peer::Message taken = proxy.admin_message("/reload", "POST");
  EXPECT_EQ(taken.status(), 200);
  EXPECT_NE(taken.body.find("\"generation\":2"), std::string::npos) << taken.body;
  EXPECT_EQ(get(client), "two");
  proxy.write_config("nonsense: true\n");
  EXPECT_EQ(proxy.admin_message("/reload", "POST").status(), 409);
  EXPECT_EQ(get(client), "two");
}

TEST(Reload, ListenersComeAndGo) {
  Yaml yaml;
  yaml.routes = direct("main");
  TestProxy proxy(yaml.text(), kFromFile);
  const uint16_t first = proxy.port();
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "main");
  std::string other = yaml.text();
  other.replace(other.find("name: main"), 10, "name: more");
  proxy.write_config(other);
  proxy.wait_for_generation(2);
  const uint16_t second = proxy.port("more");
  EXPECT_NE(first, second);
  Peer fresh = Peer::connect(second);
  EXPECT_EQ(get(fresh), "main");
  EXPECT_THROW(Peer::connect(first), std::runtime_error);
}

TEST(Reload, ClusterEditKeepsConnectionsToHostsThatStay) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_message();
  upstream.send(response("1"));
  EXPECT_EQ(client.read_message().body, "1");
  yaml.cluster = "lb_policy: LEAST_REQUEST\n";
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(upstream.read_message().first_line(), "GET /2 HTTP/1.1");
  upstream.send(response("2"));
  EXPECT_EQ(client.read_message().body, "2");
}

TEST(Reload, StreamInFlightEndsOnItsOwnGeneration) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.routes =
      "- match: {prefix: /}\n  route: {cluster: origin}\n"
      "  response_headers_to_add: [{header: {key: x-generation, value: one}}]\n";
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_message();
  yaml.routes = direct("two");
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  upstream.send(response("late"));
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.body, "late");
  EXPECT_EQ(answer.header("x-generation"), "one");
  EXPECT_EQ(get(client), "two");
}

TEST(Reload, EditsUnderLoadLoseNothing) {
  TestProxy proxy(yaml_with("v0"), kFromFile);
  LoadClients clients(proxy.port(), 4, [](Peer& client) { return get(client).starts_with("v"); });
  for (int edit = 1; edit <= 20; ++edit) {
    proxy.write_config(yaml_with("v" + std::to_string(edit)));
    proxy.wait_for_generation(static_cast<uint64_t>(edit) + 1);
  }
  clients.stop();
  EXPECT_EQ(clients.bad(), 0u);
  EXPECT_GT(clients.good(), 100u);
}

TEST(Reload, DrainAnswersWhatIsUnderWay) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_message();
  proxy.server().quit(server::Server::Quit::kDrain);
  proxy.wait_for("not ready", [&proxy] { return proxy.admin_message("/ready").status() == 503; });
  // The worker hears of the drain a little later than the admin listener: behind this it has.
  std::promise<void> heard;
  proxy.server().all_workers().front()->post([&heard] { heard.set_value(); });
  ASSERT_EQ(heard.get_future().wait_for(kDeadline), std::future_status::ready);
  upstream.send(response("done"));
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_EQ(proxy.stop(server::Server::Quit::kDrain), 0);
}

}  // namespace
}  // namespace weir::test
