// Filter chains of one listener: which of them serves a connection, and what edits do to their connections.
#include <gtest/gtest.h>

#include "support/listener_yaml.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Peer::Message get(Peer& client, std::string_view preface = {}) {
  client.send(std::string(preface) + std::string(kGet));
  return client.read_message();
}
std::string stat_name(TestProxy& proxy, std::string_view rest, std::string_view listener = "main") {
  return "listener.127.0.0.1_" + std::to_string(proxy.port(listener)) + "." + std::string(rest);
}

/// A listener behind PROXY protocol: the test says where connections come from and go to.
ListenerYaml behind_proxy(std::vector<std::string> chains) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("proxy_protocol", "ProxyProtocol")};
  yaml.chains = std::move(chains);
  return yaml;
}
std::string served_by(TestProxy& proxy, const std::string& from, const std::string& to) {
  Peer client = proxy.connect("main");
  client.send("PROXY TCP4 " + from.substr(0, from.find(':')) + " " + to.substr(0, to.find(':')) +
              " " + from.substr(from.find(':') + 1) + " " + to.substr(to.find(':') + 1) + "\r\n");
  client.send(kGet);
  try {
    return client.read_message().body;
  } catch (const std::exception&) {
    return "closed";
  }
}

TEST(ListenerChains, AddressesAndPortsChoose) {
  TestProxy proxy(bootstrap_of({behind_proxy(
      {answering_chain("port", "destination_port: 8443"),
       answering_chain("net", "prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]"),
       answering_chain("host", "prefix_ranges: [{address_prefix: 10.0.0.7, prefix_len: 32}]"),
       answering_chain("source",
                       "source_prefix_ranges: [{address_prefix: 172.16.0.0, prefix_len: 12}]"),
       answering_chain("sourceport", "source_ports: [777]")})}));
  EXPECT_EQ(served_by(proxy, "1.1.1.1:1", "10.0.0.7:8443"), "port");
  EXPECT_EQ(served_by(proxy, "1.1.1.1:1", "10.0.0.7:80"), "host");
  EXPECT_EQ(served_by(proxy, "1.1.1.1:1", "10.0.0.8:80"), "net");
  EXPECT_EQ(served_by(proxy, "172.17.0.1:1", "192.168.0.1:80"), "source");
  EXPECT_EQ(served_by(proxy, "1.1.1.1:777", "192.168.0.1:80"), "sourceport");
  EXPECT_EQ(served_by(proxy, "1.1.1.1:1", "192.168.0.1:80"), "closed");
  EXPECT_EQ(proxy.counter(stat_name(proxy, "no_filter_chain_match")), 1u);
}

TEST(ListenerChains, TheDefaultServesWhoMatchesNone) {
  ListenerYaml yaml = behind_proxy({answering_chain("port", "destination_port: 8443")});
  yaml.fields = "  default_filter_chain: " + answering_chain("rest") + "\n";
  TestProxy proxy(bootstrap_of({yaml}));
  EXPECT_EQ(served_by(proxy, "1.1.1.1:1", "10.0.0.7:8443"), "port");
  EXPECT_EQ(served_by(proxy, "1.1.1.1:1", "10.0.0.7:80"), "rest");
}

TEST(ListenerChains, LoopbackIsALocalSource) {
  ListenerYaml yaml;
  yaml.chains = {answering_chain("local", "source_type: SAME_IP_OR_LOOPBACK"),
                 answering_chain("far", "source_type: EXTERNAL")};
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).body, "local");
}

TEST(ListenerChains, WildcardListenersKnowTheAddressOfEachConnection) {
  ListenerYaml yaml;
  yaml.address = "{socket_address: {address: 0.0.0.0, port_value: 0}}";
  yaml.chains = {
      answering_chain("loopback", "prefix_ranges: [{address_prefix: 127.0.0.1, prefix_len: 32}]"),
      answering_chain("other")};
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).body, "loopback");
}

TEST(ListenerChains, NoMatchIsLoggedWithItsFlag) {
  TempFolder folder;
  ListenerYaml yaml;
  yaml.chains = {answering_chain("never", "destination_port: 1")};
  yaml.fields =
      "  access_log: [{name: f, typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: " +
      folder.path() +
      "/log, log_format: {text_format_source: {inline_string: "
      "\"%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS% %PROTOCOL% "
      "%ACCESS_LOG_TYPE%\\n\"}}}}]\n";
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  EXPECT_TRUE(client.closed());
  proxy.stop();
  EXPECT_EQ(folder.read("log"), "NR filter_chain_not_found - NotSet\n");
}

TEST(ListenerChains, LogOfConnectionsHasTheirBytes) {
  TempFolder folder;
  ListenerYaml yaml;
  yaml.chains = {answering_chain("all", "")};
  yaml.fields =
      "  access_log: [{name: f, typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: " +
      folder.path() +
      "/log, log_format: {text_format_source: {inline_string: "
      "\"%BYTES_RECEIVED% %BYTES_SENT%\\n\"}}}}]\n";
  TestProxy proxy(bootstrap_of({yaml}));
  const std::string request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
  Peer client = proxy.connect();
  client.send(request);
  const std::string answer = client.read_to_end();
  client.close();
  proxy.stop();
  EXPECT_EQ(folder.read("log"),
            std::to_string(request.size()) + " " + std::to_string(answer.size()) + "\n");
}

// ---- edits --------------------------------------------------------------------------------------------------------------

const TestProxy::Options kFromFile{.workers = 1, .from_file = true};

TEST(ListenerChainEdits, OnlyTheConnectionsOfAChainThatIsGoneDrain) {
  const std::string kept = answering_chain("kept", "source_ports: [1]");
  TestProxy proxy(
      bootstrap_of({behind_proxy({kept, answering_chain("gone", "source_ports: [2]")})}),
      kFromFile);
  Peer on_kept = proxy.connect(), on_gone = proxy.connect();
  EXPECT_EQ(get(on_kept, "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n").body, "kept");
  EXPECT_EQ(get(on_gone, "PROXY TCP4 1.1.1.1 1.1.1.1 2 1\r\n").body, "gone");
  proxy.write_config(
      bootstrap_of({behind_proxy({kept, answering_chain("new", "source_ports: [3]")})}));
  proxy.wait_for_generation(2);
  const Peer::Message last = get(on_gone);
  EXPECT_EQ(last.body, "gone");
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(on_gone.closed());
  const Peer::Message next = get(on_kept);
  EXPECT_EQ(next.body, "kept");
  EXPECT_FALSE(next.has("connection"));
  EXPECT_EQ(served_by(proxy, "1.1.1.1:3", "1.1.1.1:1"), "new");
  EXPECT_EQ(served_by(proxy, "1.1.1.1:2", "1.1.1.1:1"), "closed");
}

TEST(ListenerChainEdits, AChangedChainServesTheNextRequestOfItsConnections) {
  TestProxy proxy(bootstrap_of({behind_proxy({answering_chain("a", "source_ports: [1]")})}),
                  kFromFile);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client, "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n").header("server"), "weir");
  // What it matches has changed too: a named chain is known by its name.
  proxy.write_config(bootstrap_of(
      {behind_proxy({answering_chain("a", "source_ports: [9]", {}, "server_name: edited, ")})}));
  proxy.wait_for_generation(2);
  const Peer::Message next = get(client);
  EXPECT_EQ(next.header("server"), "edited");
  EXPECT_FALSE(next.has("connection"));
}

TEST(ListenerChainEdits, AnotherTimeoutOfInspectionDisturbsNobody) {
  TestProxy proxy(bootstrap_of({ListenerYaml()}), kFromFile);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).status(), 200);
  ListenerYaml edited;
  edited.filters = {listener_filter("http_inspector", "HttpInspector")};
  edited.fields = "  listener_filters_timeout: 3s\n";
  proxy.write_config(bootstrap_of({edited}));
  proxy.wait_for_generation(2);
  const Peer::Message next = get(client);
  EXPECT_EQ(next.status(), 200);
  EXPECT_FALSE(next.has("connection"));
}

}  // namespace
}  // namespace weir::test
