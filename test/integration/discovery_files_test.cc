// Listeners, routes, clusters and endpoints that stand in files of the discovery services.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

AutoOrigin::Handler says(std::string_view name) {
  return [name](const Peer::Message&) { return response(name); };
}

std::string get(Peer& client) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto answer = client.read_message();
  return std::to_string(answer.status()) + " " + answer.body;
}

constexpr const char* kType = "\"@type\": type.googleapis.com/";

class DiscoveryFiles : public ::testing::Test {
 protected:
  DiscoveryFiles() {
    write_endpoints(one_.port());
    write_routes("route: {cluster: api}");
    folder_.write("cds.yaml", "version_info: '1'\nresources:\n- " + std::string(kType) +
                                  "envoy.config.cluster.v3.Cluster\n"
                                  "  name: api\n"
                                  "  type: EDS\n"
                                  "  connect_timeout: 1s\n"
                                  "  eds_cluster_config: {service_name: api-v1, eds_config: {" +
                                  source("eds.json") + "}}\n");
    write_listener("stat_prefix: in");
  }
  void write_endpoints(uint16_t port) {
    folder_.write(
        "eds.json",
        R"({"version_info": "1", "resources": [)"
        R"({"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",)"
        R"( "cluster_name": "other", "anything": 1},)"
        R"({"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",)"
        R"( "cluster_name": "api-v1", "endpoints": [{"lb_endpoints": [{"endpoint": {"address":)"
        R"( {"socket_address": {"address": "127.0.0.1", "port_value": )" +
            std::to_string(port) + "}}}}]}]}]}");
  }
  void write_routes(const std::string& action) {
    folder_.write_renamed("rds.yaml", "resources:\n- " + std::string(kType) +
                                          "envoy.config.route.v3.RouteConfiguration\n"
                                          "  name: all\n"
                                          "  virtual_hosts:\n"
                                          "  - name: all\n"
                                          "    domains: ['*']\n"
                                          "    routes: [{match: {prefix: /}, " +
                                          action + "}]\n");
  }
  void write_listener(const std::string& prefix) {
    folder_.write("lds.yaml",
                  "resources:\n- " + std::string(kType) +
                      "envoy.config.listener.v3.Listener\n"
                      "  name: main\n"
                      "  address: {socket_address: {address: 127.0.0.1, port_value: 0}}\n"
                      "  filter_chains:\n"
                      "  - filters:\n"
                      "    - name: hcm\n"
                      "      typed_config:\n        " +
                      kType +
                      "envoy.extensions.filters.network.http_connection_manager.v3."
                      "HttpConnectionManager\n        " +
                      prefix +
                      "\n"
                      "        rds: {route_config_name: all, config_source: {" +
                      source("rds.yaml") +
                      "}}\n"
                      "        http_filters:\n"
                      "        - name: router\n"
                      "          typed_config: {" +
                      kType + "envoy.extensions.filters.http.router.v3.Router}\n");
  }
  std::string source(const std::string& file) const {
    return "path_config_source: {path: " + folder_.path() + "/" + file + "}";
  }
  std::string bootstrap() const {
    return "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n"
           "dynamic_resources:\n  lds_config: {" +
           source("lds.yaml") + ", resource_api_version: V3}\n  cds_config: {" +
           source("cds.yaml") + "}\n";
  }
  AutoOrigin one_{says("one")}, two_{says("two")};
  TempFolder folder_;
};

TEST_F(DiscoveryFiles, AnEditOfAnyIsAGeneration) {
  TestProxy proxy(bootstrap(), {.workers = 2, .from_file = true});
  Peer client = proxy.connect("main");
  EXPECT_EQ(get(client), "200 one");
  EXPECT_EQ(proxy.gauge("cluster.api.membership_total"), 1);
  write_endpoints(two_.port());
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(client), "200 two");  // on the same connection
  write_routes("direct_response: {status: 200, body: {inline_string: direct}}");
  proxy.wait_for_generation(3);
  EXPECT_EQ(get(client), "200 direct");
  write_routes("route: {cluster: nobody}");  // as in Envoy, routes from a file may name any
  proxy.wait_for_generation(4);
  EXPECT_EQ(get(client).substr(0, 3), "503");
  const std::string shown = proxy.admin("/config_dump");
  for (const char* file : {"lds.yaml", "cds.yaml", "eds.json", "rds.yaml"})
    EXPECT_NE(shown.find(file), std::string::npos) << shown;
}

TEST_F(DiscoveryFiles, AnErrorInAnyRejectsTheEditAndNamesTheFile) {
  TestProxy proxy(bootstrap(), {.workers = 1, .from_file = true});
  Peer client = proxy.connect("main");
  EXPECT_EQ(get(client), "200 one");
  write_listener("statprefix: in");
  proxy.wait_for_rejection(1);
  EXPECT_NE(proxy.admin("/reload").find(folder_.path() +
                                        "/lds.yaml:10:9: dynamic_resources.lds_config.resources[0]."
                                        "filter_chains[0].filters[0].typed_config: unknown field "
                                        "\\\"statprefix\\\" (did you mean \\\"stat_prefix\\\"?)"),
            std::string::npos)
      << proxy.admin("/reload");
  EXPECT_EQ(get(client), "200 one");
  write_listener("stat_prefix: in");
  folder_.write("eds.json", R"({"resources": []})");
  proxy.wait_for_rejection(2);
  EXPECT_NE(proxy.admin("/reload").find(
                "cds.yaml:7:58: dynamic_resources.cds_config.resources[0].eds_cluster_config."
                "eds_config: the file has no resource \\\"api-v1\\\""),
            std::string::npos)
      << proxy.admin("/reload");
  folder_.write("eds.json", R"({"resources": )");
  proxy.wait_for_rejection(3);
  EXPECT_NE(proxy.admin("/reload").find("eds.json:1:"), std::string::npos);
  EXPECT_EQ(get(client), "200 one");
  write_endpoints(two_.port());
  proxy.wait_for("the good edit", [&] { return get(client) == "200 two"; });
}

TEST_F(DiscoveryFiles, AFolderWhoseLinkFlipsIsWatched) {
  const std::string mounted = folder_.path() + "/mounted";
  ASSERT_EQ(
      ::system(("mkdir -p " + mounted + "/v1 " + mounted + "/v2 && ln -s v1 " + mounted + "/..data")
                   .c_str()),
      0);
  const auto assignment = [](uint16_t port) {
    return "resources: [{" + std::string(kType) +
           "envoy.config.endpoint.v3.ClusterLoadAssignment, cluster_name: api-v1, endpoints: "
           "[{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, "
           "port_value: " +
           std::to_string(port) + "}}}}]}]}]\n";
  };
  folder_.write("mounted/v1/eds.yaml", assignment(one_.port()));
  folder_.write("mounted/v2/eds.yaml", assignment(two_.port()));
  folder_.write("cds.yaml", "resources:\n- " + std::string(kType) +
                                "envoy.config.cluster.v3.Cluster\n"
                                "  name: api\n"
                                "  type: EDS\n"
                                "  eds_cluster_config: {service_name: api-v1, eds_config: {"
                                "path_config_source: {path: " +
                                mounted + "/..data/eds.yaml, watched_directory: {path: " + mounted +
                                "}}}}\n");
  TestProxy proxy(bootstrap(), {.workers = 1, .from_file = true});
  Peer client = proxy.connect("main");
  EXPECT_EQ(get(client), "200 one");
  ASSERT_EQ(::system(("ln -s v2 " + mounted + "/..new && mv -T " + mounted + "/..new " + mounted +
                      "/..data")
                         .c_str()),
            0);
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(client), "200 two");
}

}  // namespace
}  // namespace weir::test
