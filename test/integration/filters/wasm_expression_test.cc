// Expressions of guests over what they see of a request, and the metadata of the configuration as properties.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

class WasmExpression : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_MODULE(guest_path("expressions")); }
  static Plugin plugin(const std::string& expression, const std::string& more = "") {
    return Plugin{.guest = "expressions", .configuration = expression, .plugin = more};
  }
  static Peer::Message ask_about(Peer& client, const std::string& expression) {
    return ask(client, "x-expression: " + expression + "\r\nx-a: one\r\n", "/p?q=1");
  }
  AutoOrigin origin_{[](const Peer::Message&) { return response("from the origin"); }};
};

TEST_F(WasmExpression, IsEvaluatedOverTheRequest) {
  TestProxy proxy(
      yaml_with(plugin(R"(request.headers["x-a"] == "one" && request.path.startsWith("/p?"))"),
                origin_.port()));
  Peer client = proxy.connect();
  Peer::Message answer = ask_about(client, R"(request.headers["x-a"] + "!")");
  EXPECT_EQ(answer.header("x-configured"), "true");
  EXPECT_EQ(answer.header("x-asked"), "one!");
  EXPECT_EQ(answer.header("x-later"), "one!") << "with the response";
  EXPECT_EQ(answer.header("x-deleted"), "status NotFound");
  answer = ask_about(client, "has(response.code) ? string(response.code) : 'none'");
  EXPECT_EQ(answer.header("x-asked"), "none");
  EXPECT_EQ(answer.header("x-later"), "200");
  answer = ask_about(client, "'x-a' in request.headers.filter(name, name.startsWith('x-'))");
  EXPECT_EQ(answer.header("x-asked"), "true");
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(WasmExpression, ThatIsWrongIsAnsweredAndNothingElse) {
  TestProxy proxy(yaml_with(plugin("true"), origin_.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask_about(client, "request.").header("x-asked"), "status BadArgument");
  EXPECT_EQ(ask_about(client, std::string(300, '(')).header("x-asked"), "status BadArgument");
  EXPECT_EQ(ask_about(client, "request.nothing").header("x-asked"), "status InternalFailure");
  EXPECT_EQ(ask_about(client, "null").header("x-asked"), "status SerializationFailure");
  const std::string long_one = "[0,1,2,3,4,5,6,7,8,9]";
  std::string loops = "true";
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"})
    loops = long_one + ".all(" + name + ", " + loops + ")";
  EXPECT_EQ(ask_about(client, loops).header("x-asked"), "status InternalFailure");
  EXPECT_EQ(ask_about(client, "1 == 1").header("x-asked"), "true");
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(WasmExpression, AConfigurationThatIsNoneIsRefusedByTheGuest) {
  TestProxy proxy(yaml_with(plugin("true"), origin_.port()),
                  TestProxy::Options{.workers = 1, .from_file = true});
  proxy.write_config(yaml_with(plugin("request.headers["), origin_.port()));
  proxy.wait_for_rejection(1);
  EXPECT_NE(proxy.admin("/reload").find("configure"), std::string::npos);
}

TEST_F(WasmExpression, SeesNoMoreThanTheGuest) {
  TestProxy proxy(yaml_with(
      plugin("true", "privacy: {request_headers: {hide: [{exact: x-a}]}, client_address: HIDE}"),
      origin_.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask_about(client, "has(request.headers['x-a'].b) ? 'y' : 'n'").header("x-asked"), "n");
  EXPECT_EQ(ask_about(client, "'x-a' in request.headers ? 'seen' : 'hidden'").header("x-asked"),
            "hidden");
  EXPECT_EQ(ask_about(client, "request.headers['x-a']").header("x-asked"),
            "status InternalFailure");
  EXPECT_EQ(ask_about(client, "source.address").header("x-asked"), "status InternalFailure");
}

// ---- metadata ---------------------------------------------------------------------------------------

std::string metadata(const std::string& of) {
  return "metadata: {filter_metadata: {test: {of: " + of + ", list: [1, a]}}}";
}

std::string insert(std::string text, const std::string& before, const std::string& what) {
  const size_t at = text.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  return text.insert(at, what);
}

TEST_F(WasmExpression, MetadataOfTheConfigurationIsThere) {
  Yaml yaml;
  yaml.origin_port = origin_.port();
  yaml.listener = metadata("listener") + "\n";
  yaml.cluster = metadata("cluster") + "\n";
  yaml.routes = "- match: {prefix: /}\n  " + metadata("route") + "\n  route: {cluster: origin}\n";
  yaml.filters = filter(plugin("true"));
  std::string text = yaml.text();
  text = insert(text, "domains: ['*']", metadata("host") + "\n              ");
  text = insert(text, "endpoint: {address", metadata("endpoint") + "\n          ");
  text = insert(text, "lb_endpoints:",
                metadata("locality") + "\n        locality: {region: r, zone: z}\n        ");
  TestProxy proxy(text);
  Peer client = proxy.connect();
  const auto value = [&client](const std::string& expression) {
    return ask_about(client, expression).header("x-later");
  };
  const std::string below = ".filter_metadata.test.of";
  EXPECT_EQ(value("xds.listener_metadata" + below), "listener");
  EXPECT_EQ(value("route_metadata" + below), "route");
  EXPECT_EQ(value("xds.virtual_host_metadata" + below), "host");
  EXPECT_EQ(value("cluster_metadata" + below), "cluster");
  EXPECT_EQ(value("upstream_host_metadata" + below), "endpoint");
  EXPECT_EQ(value("xds.upstream_host_locality_metadata" + below), "locality");
  EXPECT_EQ(value("xds.route_metadata.filter_metadata.test.list[1]"), "a");
  EXPECT_EQ(value("upstream.locality.region + upstream.locality.zone"), "rz");
  EXPECT_EQ(value("string(upstream.num_endpoints)"), "1");
  EXPECT_EQ(value("upstream.cx_pool_ready_duration >= duration('0s') ? 'y' : 'n'"), "y");
  const Peer::Message early = ask_about(client, "cluster_metadata" + below);
  EXPECT_EQ(early.header("x-asked"), "cluster") << "before the router has chosen it";
  EXPECT_EQ(ask_about(client, "upstream_host_metadata" + below).header("x-asked"),
            "status InternalFailure");
}

}  // namespace
}  // namespace weir::test
