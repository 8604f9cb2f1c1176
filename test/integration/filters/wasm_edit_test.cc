// What is under way when an edit takes its plugins away: it is served to its end as it began.
#include <gtest/gtest.h>

#include <atomic>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

std::string text_any(const std::string& value) {
  return "{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: '" + value + "'}";
}

/// A PluginConfig in flow style.
std::string plugin_config(const std::string& guest, const std::string& configuration) {
  return "{name: p, configuration: " + text_any(configuration) +
         ", vm_config: {code: {local: {filename: " + guest_path(guest) + "}}}}";
}

class WasmEdit : public ::testing::Test {
 protected:
  void start(const std::string& yaml) {
    proxy_ = std::make_unique<TestProxy>(yaml, TestProxy::Options{.workers = 1, .from_file = true});
  }
  void edit(const std::string& yaml) {
    proxy_->write_config(yaml);
    proxy_->wait_for_generation(++generation_);
  }
  void wait_vms(int64_t count) {
    proxy_->wait_for("old VMs gone",
                     [this, count] { return proxy_->gauge("wasm.wasm_vm_count") == count; });
  }
  std::unique_ptr<TestProxy> proxy_;
  Origin origin_;

 private:
  uint64_t generation_ = 1;
};

TEST_F(WasmEdit, ARemovedListenersConnectionsKeepTheirPlugins) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = filter(Plugin{.configuration = "response_headers=add|x-version|1"});
  start(yaml.text());
  Peer client = proxy_->connect();
  EXPECT_EQ(ask(client).header("x-version"), "1");
  yaml.filters.clear();
  std::string next = yaml.text();
  next.replace(next.find("name: main"), 10, "name: next");
  edit(next);
  const Peer::Message answer = ask(client);
  EXPECT_EQ(answer.status(), 200) << answer.head;
  EXPECT_EQ(answer.header("x-version"), "1");
  EXPECT_EQ(proxy_->counter("wasm.p.failed_streams"), 0u);
  client.close();
  wait_vms(0);
}

TEST_F(WasmEdit, AnExchangeIsLoggedWhereItBegan) {
  Yaml yaml;
  yaml.origin_port = origin_.port();
  const std::string other = yaml.text();
  yaml.hcm =
      "access_log:\n- name: wasm\n  typed_config:\n    \"@type\": type.googleapis.com/"
      "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog\n    config: " +
      plugin_config("places", "") + "\n";
  start(yaml.text());
  Peer client = proxy_->connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin_.accept();
  upstream.read_message();
  edit(other);
  upstream.send(response("late", 201, "x-sum: 7\r\n"));
  EXPECT_EQ(client.read_message().body, "late");
  proxy_->wait_for("the log",
                   [this] { return proxy_->counter("wasmcustom.places.log.GET /a 201 7") == 1; });
  EXPECT_EQ(proxy_->counter("wasm.p.unlogged"), 0u);
  wait_vms(0);
}

TEST_F(WasmEdit, AStreamThatIsHeldGetsItsRoutesPluginOfBefore) {
  const auto yaml_of = [this](const std::string& text) {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.filters =
        filter(Plugin{.configuration = "request_headers=pause_until_call|origin|/ask|8000",
                      .vm = "vm_id: holds",
                      .name = "holds"}) +
        filter(Plugin{.configuration = "request_headers=reply|201|base"});
    yaml.routes =
        "- match: {prefix: /}\n  direct_response: {status: 200}\n"
        "  typed_per_filter_config: {wasm_p: {\"@type\": type.googleapis.com/"
        "envoy.extensions.filters.http.wasm.v3.Wasm, config: {configuration: " +
        text_any("request_headers=reply|202|" + text) + "}}}\n";
    return yaml.text();
  };
  start(yaml_of("before"));
  Peer client = proxy_->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin_.accept();
  EXPECT_EQ(upstream.read_message().first_line(), "GET /ask HTTP/1.1");
  edit(yaml_of("after"));
  upstream.send(response("go on"));
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 202) << answer.head;
  EXPECT_EQ(answer.body, "before");
  wait_vms(2);
}

TEST_F(WasmEdit, AfterADrainARootMayStillCallOut) {
  std::atomic<bool> called{false};
  AutoOrigin origin([&called](const Peer::Message& request) {
    called = called || request.first_line() == "GET /bye HTTP/1.1";
    return response("");
  });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter(Plugin{.configuration = "done=http_call|origin|/bye|8000;done=return|0;"
                                                "http_call_response=proxy_done"});
  start(yaml.text());
  EXPECT_EQ(proxy_->stop(server::Server::Quit::kDrain), 0);
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace weir::test
