// h2spec, strictly, over cleartext and TLS, in front of an origin that reads whole requests.
#include <gtest/gtest.h>

#include "conformance/foreign.h"
#include "support/tls_yaml.h"

namespace weir::test {
namespace {

constexpr int kRuns = 10;

class H2Spec : public testing::Test {
 protected:
  H2Spec() : origin_([](const Peer::Message&) { return response("hello"); }) {
    yaml_.origin_port = origin_.port();
    // Some cases open more streams than they end: none may be refused for their number.
    yaml_.hcm = "codec_type: HTTP2\n";
  }

  void expect_all_green(const std::string& options) {
    const std::string folder = foreign_programs("h2spec");
    if (folder.empty()) GTEST_SKIP() << "h2spec cannot be had here";
    TestProxy proxy(yaml_.text());
    for (int i = 0; i < kRuns; ++i) {
      const Ran ran = run("timeout 100 '" + folder + "/h2spec' -h 127.0.0.1 -p " +
                          std::to_string(proxy.port()) + " --strict -o 5 " + options);
      ASSERT_EQ(ran.code, 0) << ran.output;
      ASSERT_NE(ran.output.find("146 tests, 146 passed, 0 skipped, 0 failed"), std::string::npos)
          << ran.output;
    }
  }

  AutoOrigin origin_;
  Yaml yaml_;
};

TEST_F(H2Spec, Cleartext) { expect_all_green(""); }

TEST_F(H2Spec, Tls) {
  TestCa ca;
  TempFolder folder;
  write_pair(folder, "server", ca.issue("DNS:localhost,IP:127.0.0.1"));
  yaml_.hcm = "";
  yaml_.chain = downstream_tls("alpn_protocols: [h2, http/1.1], tls_certificates: [" +
                               pair_yaml(folder, "server") + "]");
  expect_all_green("-t -k");
}

}  // namespace
}  // namespace weir::test
