// Plugins in the places beside HTTP filters: on connections, as access loggers, as services, and with a route's own configuration.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"
#include "support/network_yaml.h"

namespace weir::test {
namespace {

std::string text_any(const std::string& value) {
  return "{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: '" + value + "'}";
}

/// A PluginConfig in flow style.
std::string plugin_config(const std::string& guest, const std::string& configuration,
                          const std::string& more = "", const std::string& vm = "") {
  return "{name: p, configuration: " + text_any(configuration) + more +
         ", vm_config: {code: {local: {filename: " + guest_path(guest) + "}}" + vm + "}}";
}

std::string on_connections(const std::string& configuration = "", const std::string& more = "",
                           const std::string& vm = "") {
  return network_filter("wasm.v3.Wasm",
                        "config: " + plugin_config("places", configuration, more, vm) + "\n");
}

const std::string kEcho = network_filter("echo.v3.Echo");
const std::string kTcpProxy =
    network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: tcp\ncluster: origin\n");

class WasmPlaces : public ::testing::Test {
 protected:
  TestProxy& start(const std::string& yaml, unsigned workers = 1) {
    proxy_ = std::make_unique<TestProxy>(
        yaml, TestProxy::Options{.workers = workers, .from_file = true, .drain_time = {}});
    return *proxy_;
  }
  TestProxy& start_echo(const std::string& configuration = "", const std::string& more = "",
                        const std::string& vm = "") {
    return start(NetworkYaml{on_connections(configuration, more, vm) + kEcho, ""}.text());
  }
  std::string echoed(std::string_view bytes) {
    Peer client = proxy_->connect();
    client.send(bytes);
    client.half_close();
    return client.read_to_end();
  }
  void wait_counter(const std::string& name, uint64_t value = 1) {
    try {
      proxy_->wait_for(name, [this, &name, value] { return proxy_->counter(name) >= value; });
    } catch (const std::exception& never) {
      FAIL() << never.what() << "; there are\n" << proxy_->admin("/stats?filter=wasmcustom");
    }
  }
  std::unique_ptr<TestProxy> proxy_;
};

// ---- connections ------------------------------------------------------------------------------------

TEST_F(WasmPlaces, BytesGoThroughTheGuest) {
  start_echo();
  EXPECT_EQ(echoed("plain"), "plain");
  EXPECT_EQ(echoed("@upper shout"), "SHOUT");
  EXPECT_EQ(echoed("@middle --"), "@m--le --");
  EXPECT_EQ(echoed("@reply"), "@reply");
}

TEST_F(WasmPlaces, APausedGuestSeesEverythingThatWasHeld) {
  start_echo();
  Peer client = proxy_->connect();
  client.send("@hold one ");
  EXPECT_TRUE(client.quiet());
  client.send("two @go");
  EXPECT_EQ(client.read(17), "@hold one two @go");
}

TEST_F(WasmPlaces, ContinueStreamResumesReadingFromATick) {
  start_echo();
  EXPECT_EQ(echoed("@later on"), "@later on");
  EXPECT_EQ(echoed("@twice x"), "@twice x");
  EXPECT_GE(proxy_->counter("wasmcustom.places.ticks"), 1u);
}

TEST_F(WasmPlaces, AHeldConnectionShowsItsBytesWhenItGoesOn) {
  start_echo("hold_new");
  EXPECT_EQ(echoed("@upper held"), "HELD");
  Peer client = proxy_->connect();
  client.send("@hold ");
  client.send("@go");
  EXPECT_EQ(client.read(9), "@hold @go");
}

TEST_F(WasmPlaces, CloseStreamSendsWhatWasWrittenFirst) {
  start_echo();
  for (const char* word : {"@close down", "@close up"}) {
    Peer client = proxy_->connect();
    client.send("first");
    EXPECT_EQ(client.read(5), "first");
    client.send(word);
    EXPECT_EQ(client.read_to_end().substr(0, 6), "");
  }
}

TEST_F(WasmPlaces, PropertiesOfTheConnection) {
  start_echo();
  EXPECT_EQ(echoed("@port destination.port"), std::to_string(proxy_->port()));
  EXPECT_EQ(echoed("@prop source.address").substr(0, 10), "127.0.0.1:");
  EXPECT_EQ(echoed("@prop plugin_name"), "p");
  EXPECT_EQ(echoed("@prop request.path"), "absent");
  Peer client = proxy_->connect();
  client.send("@set mine value");
  EXPECT_EQ(client.read(15), "@set mine value");
  client.send("@prop mine");
  EXPECT_EQ(client.read(5), "value");
}

TEST_F(WasmPlaces, BothDirectionsAndTheOrderOfTheEnd) {
  Origin origin;
  start(
      NetworkYaml{on_connections() + kTcpProxy, static_cluster("origin", {origin.port()})}.text());
  Peer client = proxy_->connect();
  client.send("ask");
  Peer upstream = origin.accept();
  EXPECT_EQ(upstream.read(3), "ask");
  upstream.send("!mask this");
  EXPECT_EQ(client.read(4), "****");
  upstream.send("!hold a ");
  EXPECT_TRUE(client.quiet());
  upstream.send("!go");
  EXPECT_EQ(client.read(11), "!hold a !go");
  upstream.send("!later");
  EXPECT_EQ(client.read(6), "!later");
  upstream.half_close();
  EXPECT_TRUE(client.closed());
  client.close();
  wait_counter(
      "wasmcustom.places.order.new-down-up-up-up-up-up_end-up_close_remote-down_end-"
      "down_close_local-done-log-delete");
}

TEST_F(WasmPlaces, AnUpstreamThatIsCutOffIsToldAsClosedHere) {
  Origin origin;
  start(
      NetworkYaml{on_connections() + kTcpProxy, static_cluster("origin", {origin.port()})}.text());
  Peer client = proxy_->connect();
  client.send("ask");
  Peer upstream = origin.accept();
  EXPECT_EQ(upstream.read(3), "ask");
  upstream.send("answer");
  EXPECT_EQ(client.read(6), "answer");
  client.reset();
  wait_counter(
      "wasmcustom.places.order.new-down-up-up_close_local-down_close_remote-done-log-delete");
}

TEST_F(WasmPlaces, ATrapClosesTheConnectionAndTheNextIsServed) {
  start_echo();
  Peer bystander = proxy_->connect();
  bystander.send("a");
  EXPECT_EQ(bystander.read(1), "a");
  EXPECT_EQ(echoed("@trap"), "");
  EXPECT_TRUE(bystander.closed());  // it lived in the same VM
  EXPECT_EQ(echoed("again"), "again");
  EXPECT_EQ(proxy_->counter("wasm.p.traps"), 1u);
  EXPECT_EQ(proxy_->counter("wasm.p.failed_streams"), 2u);
}

TEST_F(WasmPlaces, FailOpenLetsTheBytesThrough) {
  Origin origin;
  start(NetworkYaml{on_connections("", ", failure_policy: FAIL_OPEN") + kTcpProxy,
                    static_cluster("origin", {origin.port()})}
            .text());
  Peer client = proxy_->connect();
  client.send("@hold this ");
  EXPECT_TRUE(client.quiet());
  client.send("@later");
  Peer killer = proxy_->connect();
  killer.send("@trap");
  Peer first = origin.accept();
  Peer second = origin.accept();
  // What the dead guest held goes on, in order; which of the two came first does not matter.
  const std::string one = first.read(5);
  const std::string two = second.read(5);
  const bool held_first = one == "@hold";
  EXPECT_EQ(held_first ? two : one, "@trap");
  EXPECT_EQ((held_first ? first : second).read(12), " this @later");
  EXPECT_EQ(proxy_->counter("wasm.p.bypassed_streams"), 2u);
}

TEST_F(WasmPlaces, ALoopEndsWithItsConnection) {
  start_echo("", "", ", limits: {call_timeout: 0.05s}");
  EXPECT_EQ(echoed("@loop"), "");
  EXPECT_EQ(echoed("after"), "after");
  EXPECT_EQ(proxy_->counter("wasm.p.timeouts"), 1u);
}

TEST_F(WasmPlaces, InFrontOfHttp) {
  Yaml yaml;
  yaml.routes = kDirect;
  std::string text = yaml.text();
  const std::string filters = "      filters:\n";
  const size_t at = text.find(filters);
  ASSERT_NE(at, std::string::npos);
  text.insert(at + filters.size(), indented(on_connections(), 6));
  start(text);
  Peer client = proxy_->connect();
  EXPECT_EQ(ask(client).body, "ok");
  EXPECT_EQ(ask(client).body, "ok");
  client.close();
  // The session behind it answers the client's end with its own.
  wait_counter(
      "wasmcustom.places.order.new-down-up-down-up-down_end-up_end-up_close_remote-"
      "down_close_remote-done-log-delete");
}

TEST_F(WasmPlaces, ConnectionsOutliveAnEditInTheirOwnVm) {
  start_echo("one");
  Peer before = proxy_->connect();
  before.send("a");
  EXPECT_EQ(before.read(1), "a");
  proxy_->write_config(NetworkYaml{on_connections("two") + kEcho, ""}.text());
  proxy_->wait_for_generation(2);
  before.send("@upper b");
  EXPECT_EQ(before.read(1), "B");
  EXPECT_EQ(echoed("@upper c"), "C");
}

// ---- access loggers ---------------------------------------------------------------------------------

std::string logger(const std::string& configuration, const std::string& vm = "") {
  return "access_log:\n- name: wasm\n  typed_config:\n    \"@type\": type.googleapis.com/"
         "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog\n    config: " +
         plugin_config("places", configuration, "", vm) + "\n";
}

TEST_F(WasmPlaces, AnAccessLoggerHearsOfEveryRequest) {
  AutoOrigin origin([](const Peer::Message&) { return response("", 201, "x-sum: 7\r\n"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = logger("");
  start(yaml.text());
  Peer client = proxy_->connect();
  ask(client, "", "/a");
  ask(client, "", "/b");
  wait_counter("wasmcustom.places.log.GET /a 201 7");
  wait_counter("wasmcustom.places.log.GET /b 201 7");
}

TEST_F(WasmPlaces, AnAccessLoggerObeysItsFilterAndLogsConnections) {
  Yaml yaml;
  yaml.routes =
      "- match: {path: /bad}\n  direct_response: {status: 500}\n"
      "- match: {prefix: /}\n  direct_response: {status: 200}\n";
  std::string log = logger("");
  log.replace(log.find("  typed_config"), 0,
              "  filter: {status_code_filter: {comparison: {op: GE, value: {default_value: 500, "
              "runtime_key: k}}}}\n");
  yaml.hcm = log;
  start(yaml.text());
  Peer client = proxy_->connect();
  ask(client, "", "/good");
  ask(client, "", "/bad");
  wait_counter("wasmcustom.places.log.GET /bad 500 absent");
  EXPECT_EQ(proxy_->counter("wasmcustom.places.log.GET /good 200 absent"), 0u);
}

TEST_F(WasmPlaces, AnAccessLoggerOfATcpProxyLogsItsEnd) {
  Origin origin;
  start(NetworkYaml{
      network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: tcp\ncluster: origin\n" + logger("")),
      static_cluster("origin", {origin.port()})}
            .text());
  Peer client = proxy_->connect();
  Peer upstream = origin.accept();
  client.close();
  upstream.close();
  wait_counter("wasmcustom.places.log.absent 0 absent");
}

// ---- services ---------------------------------------------------------------------------------------

std::string service(const std::string& configuration, const std::string& fields = "",
                    const std::string& vm = "") {
  return "bootstrap_extensions:\n- name: envoy.bootstrap.wasm\n  typed_config:\n    \"@type\": "
         "type.googleapis.com/envoy.extensions.wasm.v3.WasmService\n" +
         fields + "    config: " + plugin_config("places", configuration, "", vm) + "\n";
}

std::string with_service(const std::string& text) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.bootstrap = text;
  return yaml.text();
}

TEST_F(WasmPlaces, ASingletonRunsOnTheMainThreadAlone) {
  start(with_service(service("tick", "    singleton: true\n")), 2);
  wait_counter("wasmcustom.places.ticks", 2);
  const std::string vms = proxy_->admin("/wasm");
  EXPECT_NE(vms.find("\"thread\":\"main\""), std::string::npos) << vms;
  EXPECT_EQ(vms.find("\"thread\":\"worker_"), std::string::npos) << vms;
}

TEST_F(WasmPlaces, AServiceRunsOnEachWorker) {
  start(with_service(service("tick")), 2);
  wait_counter("wasmcustom.places.ticks", 2);
  const std::string vms = proxy_->admin("/wasm");
  EXPECT_EQ(vms.find("\"thread\":\"main\""), std::string::npos) << vms;
  EXPECT_NE(vms.find("\"thread\":\"worker_0"), std::string::npos) << vms;
  EXPECT_NE(vms.find("\"thread\":\"worker_1"), std::string::npos) << vms;
}

TEST_F(WasmPlaces, ASingletonSendsCalloutsFromTheMainThread) {
  AutoOrigin origin([](const Peer::Message&) { return response("hello"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.bootstrap = service("call origin", "    singleton: true\n");
  start(yaml.text());
  wait_counter("wasmcustom.places.answer.hello");
}

TEST_F(WasmPlaces, LoggersOfAllWorkersFeedTheQueueOfASingleton) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.hcm = logger("queue sums", ", vm_id: loggers");
  yaml.bootstrap = service("consume", "    singleton: true\n", ", vm_id: sums");
  start(yaml.text(), 2);
  for (int i = 0; i < 20; ++i) {
    Peer client = proxy_->connect();
    ask(client, "", "/q");
  }
  wait_counter("wasmcustom.places.queued.GET /q 200 absent", 20);
}

TEST_F(WasmPlaces, AServiceThatRefusesItsConfigurationRejectsTheEdit) {
  start(with_service(service("tick", "    singleton: true\n")));
  proxy_->write_config(with_service(service("refuse", "    singleton: true\n")));
  proxy_->wait_for_rejection(1);
  EXPECT_NE(proxy_->admin("/reload").find("proxy_on_configure returned false"), std::string::npos);
  proxy_->write_config(with_service(""));
  proxy_->wait_for_generation(2);
  proxy_->wait_for("the service's end", [this] {
    return proxy_->admin("/wasm").find("\"thread\":\"main\"") == std::string::npos;
  });
}

// ---- routes -----------------------------------------------------------------------------------------

std::string per_route(const std::string& config) {
  return "typed_per_filter_config: {wasm_p: {\"@type\": type.googleapis.com/"
         "envoy.extensions.filters.http.wasm.v3.Wasm, config: " +
         config + "}}";
}

std::string route_yaml(const std::string& of_a) {
  Yaml yaml;
  Plugin plugin;
  plugin.configuration = "request_headers=reply|201|base";
  yaml.filters = filter(plugin);
  yaml.routes = "- match: {path: /a}\n  direct_response: {status: 200}\n  " + of_a +
                "\n- match: {path: /off}\n  direct_response: {status: 204}\n  "
                "typed_per_filter_config: {wasm_p: {\"@type\": type.googleapis.com/"
                "envoy.config.route.v3.FilterConfig, disabled: true}}\n"
                "- match: {prefix: /}\n  direct_response: {status: 200}\n";
  return yaml.text();
}

TEST_F(WasmPlaces, ARouteHasAConfigurationOfItsOwnInTheSameVm) {
  const auto of_a = [](const std::string& text) {
    return per_route("{configuration: " + text_any("request_headers=reply|202|" + text) + "}");
  };
  start(route_yaml(of_a("own")));
  Peer client = proxy_->connect();
  EXPECT_EQ(ask(client, "", "/").body, "base");
  EXPECT_EQ(ask(client, "", "/a").body, "own");
  EXPECT_EQ(ask(client, "", "/off").status(), 204);
  EXPECT_EQ(proxy_->gauge("wasm.wasm_vm_count"), 1);
  // An edit of the route alone.
  proxy_->write_config(route_yaml(of_a("edited")));
  proxy_->wait_for_generation(2);
  EXPECT_EQ(ask(client, "", "/a").body, "edited");
  EXPECT_EQ(ask(client, "", "/").body, "base");
}

TEST_F(WasmPlaces, ARouteMayNotBringAnotherVm) {
  start(route_yaml("name: r"));
  proxy_->write_config(route_yaml(per_route("{vm_config: {vm_id: x}}")));
  proxy_->wait_for_rejection(1);
  EXPECT_NE(proxy_->admin("/reload").find("a route's plugin runs in the VM of the filter"),
            std::string::npos);
}

}  // namespace
}  // namespace weir::test
