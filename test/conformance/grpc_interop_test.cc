// The interoperability client and server of gRPC with weir between them, cleartext and TLS on both sides.
#include <gtest/gtest.h>

#include "conformance/foreign.h"
#include "support/h2_peer.h"
#include "support/tls_yaml.h"

namespace weir::test {
namespace {

constexpr const char* kCases[] = {"empty_unary",
                                  "large_unary",
                                  "client_streaming",
                                  "server_streaming",
                                  "ping_pong",
                                  "empty_stream",
                                  "timeout_on_sleeping_server",
                                  "cancel_after_begin",
                                  "cancel_after_first_response",
                                  "status_code_and_message",
                                  "special_status_message",
                                  "custom_metadata",
                                  "unimplemented_method",
                                  "unimplemented_service",
                                  "orca_per_rpc",
                                  "orca_oob",
                                  "rpc_soak",
                                  "channel_soak"};

class GrpcInterop : public testing::Test {
 protected:
  /// A port that nobody listens on now.
  static uint16_t free_port() { return Origin().port(); }

  void run_all(const std::string& client_options, const std::string& server_options) {
    const std::string programs = foreign_programs("grpc");
    if (programs.empty()) GTEST_SKIP() << "the gRPC interoperability programs cannot be had here";
    const std::string port = std::to_string(yaml_.origin_port);
    std::vector<std::string> arguments{programs + "/grpc_server", "--port", port};
    for (size_t at = 0; at < server_options.size();) {
      const size_t end = std::min(server_options.find(' ', at), server_options.size());
      arguments.push_back(server_options.substr(at, end - at));
      at = end + 1;
    }
    const Background server(arguments);
    TestProxy proxy(yaml_.text());
    proxy.wait_for("the server to listen", [this] {
      try {
        Peer::connect(yaml_.origin_port);
        return true;
      } catch (const std::runtime_error&) {
        return false;
      }
    });
    for (const std::string name : kCases) {
      std::string command = "timeout 60 '" + programs + "/grpc_client' --server_host 127.0.0.1 " +
                            "--server_port " + std::to_string(proxy.port()) + " --test_case " +
                            name + " " + client_options;
      if (name.starts_with("orca"))
        command +=
            " --service_config_json "
            "'{\"loadBalancingConfig\":[{\"test_backend_metrics_load_balancer\":{}}]}'";
      if (name.ends_with("soak"))
        command +=
            " --soak_iterations 100 --soak_overall_timeout_seconds 50"
            " --soak_max_failures 0 --soak_num_threads 4";
      const Ran ran = run(command);
      EXPECT_EQ(ran.code, 0) << name << "\n" << ran.output;
    }
    EXPECT_EQ(proxy.gauge("http.ingress.downstream_rq_active"), 0);
  }

  GrpcInterop() {
    yaml_.origin_port = free_port();
    yaml_.routes = "- match: {prefix: /}\n  route: {cluster: origin, timeout: 0s}\n";
    yaml_.cluster = http_protocol_options("explicit_http_config: {http2_protocol_options: {}}");
  }

  Yaml yaml_;
};

TEST_F(GrpcInterop, Cleartext) { run_all("", ""); }

TEST_F(GrpcInterop, Tls) {
  TestCa ca;
  TempFolder folder;
  folder.write("ca.pem", ca.pem());
  write_pair(folder, "server", ca.issue("DNS:interop.test,IP:127.0.0.1"));
  const std::string pem = folder.path() + "/server.pem";
  const std::string key = folder.path() + "/server.key";
  yaml_.chain = downstream_tls("alpn_protocols: [h2], tls_certificates: [" +
                               pair_yaml(folder, "server") + "]");
  yaml_.cluster += upstream_tls(trusting(folder), "sni: interop.test");
  run_all("--use_tls --use_test_ca --ca_file " + folder.path() +
              "/ca.pem --server_host_override interop.test",
          "--use_tls --tls_cert_file " + pem + " --tls_key_file " + key);
}

}  // namespace
}  // namespace weir::test
