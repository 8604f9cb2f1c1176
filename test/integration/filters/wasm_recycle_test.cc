// VMs that are replaced while they work: no stream notices, and what a guest leaks goes.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

std::string origin_answer(const Peer::Message&) { return response("origin"); }

void wait_for_recycled(TestProxy& proxy, uint64_t count) {
  proxy.wait_for("a fresh VM",
                 [&proxy, count] { return proxy.counter("wasm.p.vm_recycled") >= count; });
}

/// How many streams the VM of the next request has seen, that one among them.
std::string streams_seen(Peer& client) {
  return ask(client, "x-do: request_headers=streams\r\n").header("x-probe");
}

TEST(WasmRecycle, AfterSoManyStreams) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.vm = "recycle: {max_streams: 3}"}, origin.port()));
  Peer client = proxy.connect();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(client).status(), 200);
  wait_for_recycled(proxy, 1);
  EXPECT_NE(streams_seen(client).find("streams=ok:1"), std::string::npos);
  EXPECT_EQ(proxy.counter("wasm.p.vm_reload"), 0u);
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 0u);
}

TEST(WasmRecycle, OldStreamsFinishInTheOldVm) {
  Origin origin;
  TestProxy proxy(yaml_with(
      Plugin{.configuration = "response_headers=streams", .vm = "recycle: {max_streams: 2}"},
      origin.port()));
  Peer first = proxy.connect();
  first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer held = origin.accept();
  held.read_head();
  Peer second = proxy.connect();
  second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer other = origin.accept();
  other.read_head();
  wait_for_recycled(proxy, 1);
  proxy.wait_for("two VMs", [&proxy] { return proxy.gauge("wasm.wasm_vm_count") == 2; });
  EXPECT_NE(proxy.admin("/wasm").find("\"state\":\"draining\""), std::string::npos);
  for (Peer* each : {&held, &other}) each->send(response("late"));
  for (Peer* each : {&first, &second}) {
    const Peer::Message answer = each->read_message();
    EXPECT_EQ(answer.body, "late");
    EXPECT_NE(answer.header("x-probe").find("streams=ok:2"), std::string::npos) << answer.head;
  }
  proxy.wait_for("the old VM's end", [&proxy] { return proxy.gauge("wasm.wasm_vm_count") == 1; });
}

TEST(WasmRecycle, ALeakGoesWithItsVm) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(
      Plugin{.vm = "limits: {max_memory_bytes: 16777216}\n        recycle: {max_streams: 10}"},
      origin.port()));
  Peer client = proxy.connect();
  // Twenty times 2 MiB: without a fresh VM the guest would meet its limit at the eighth.
  for (uint64_t round = 1; round <= 4; ++round) {
    for (int i = 0; i < 10; ++i) {
      const std::string leak = i < 5 ? "x-do: request_headers=leak|2097152\r\n" : "";
      EXPECT_EQ(ask(client, leak).status(), 200);
    }
    wait_for_recycled(proxy, round);
  }
  EXPECT_EQ(proxy.counter("wasm.p.limit.memory"), 0u);
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 0u);
}

TEST(WasmRecycle, UnderLoadNoRequestFails) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.vm = "recycle: {max_streams: 20}"}, origin.port()),
                  TestProxy::Options{.workers = 2});
  LoadClients clients(proxy.port(), 4, [](Peer& peer) { return ask(peer).status() == 200; });
  wait_for_recycled(proxy, 10);
  clients.stop();
  EXPECT_EQ(clients.bad(), 0u);
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 0u);
}

TEST(WasmRecycle, ByAge) {
  TestProxy proxy(yaml_with(Plugin{.vm = "recycle: {max_age: 1s}"}));
  wait_for_recycled(proxy, 1);
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
}

TEST(WasmRecycle, BadValuesAreErrors) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const auto& [recycle, why] :
       {std::pair{"{}", "recycle: expected max_streams, max_age or both"},
        std::pair{"{max_streams: 0}", "max_streams"},
        std::pair{"{max_age: 0.1s}", "max_age: must be at least 1s"},
        std::pair{"{max_requests: 5}", "max_requests"}}) {
    yaml.filters = filter(Plugin{.vm = std::string("recycle: ") + recycle});
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejections);
    const std::string page = proxy.admin("/reload");
    EXPECT_NE(page.find(why), std::string::npos) << recycle << "\n" << page;
  }
}

}  // namespace
}  // namespace weir::test
