// Clusters whose hosts are where clients meant to go.
#include <gtest/gtest.h>

#include "unit/upstream/fixture.h"

namespace weir::upstream {
namespace {

using test::Origin;
using test::Request;

class OriginalHostsTest : public test::UpstreamFixture {
 protected:
  Cluster& original(const std::function<void(ClusterOptions&)>& change = {}) {
    return cluster({}, [&change](ClusterOptions& options) {
      options.localities.clear();
      options.type = ClusterType::kOriginalDst;
      if (change) change(options);
    });
  }
};

TEST_F(OriginalHostsTest, TheDestinationIsTheHost) {
  Cluster& target = original();
  EXPECT_EQ(target.pick(), nullptr);
  Pool* one = target.pick({nullptr, "127.0.0.1:80"});
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->address_text(), "127.0.0.1:80");
  EXPECT_EQ(target.pick({nullptr, "127.0.0.1:80"}), one);
  Pool* two = target.pick({nullptr, "[::1]:81"});
  ASSERT_NE(two, nullptr);
  EXPECT_EQ(two->address_text(), "[::1]:81");
  EXPECT_EQ(gauge("membership_total"), 2);
  for (const char* wrong : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999",
                            "::1:80", "[127.0.0.1]:80", "/tmp/socket", "host:80", "127.0.0.1:80 "})
    EXPECT_EQ(target.pick({nullptr, wrong}), nullptr) << wrong;
  EXPECT_EQ(gauge("membership_total"), 2);
  EXPECT_EQ(target.describe().size(), 2u);
}

TEST_F(OriginalHostsTest, AHeaderWinsIfItIsAskedFor) {
  Request request;
  request.head.headers.add("x-envoy-original-dst-host", "127.0.0.2:82");
  const PickContext context{&request.head, "127.0.0.1:80"};
  EXPECT_EQ(original().pick(context)->address_text(), "127.0.0.1:80");
  Cluster& asking = original(
      [](ClusterOptions& options) { options.original_dst.header = "x-envoy-original-dst-host"; });
  EXPECT_EQ(asking.pick(context)->address_text(), "127.0.0.2:82");
  request.head.headers.set("x-envoy-original-dst-host", "elsewhere");
  EXPECT_EQ(asking.pick(context)->address_text(), "127.0.0.1:80");
  EXPECT_EQ(counter("original_dst_host_invalid"), 1u);
}

TEST_F(OriginalHostsTest, ThePortMayBeAnother) {
  Cluster& target =
      original([](ClusterOptions& options) { options.original_dst.port_override = 15001; });
  EXPECT_EQ(target.pick({nullptr, "127.0.0.1:80"})->address_text(), "127.0.0.1:15001");
}

TEST_F(OriginalHostsTest, AHostThatNobodyWantsGoesAndWhatIsInUseStays) {
  Cluster& target = original([](ClusterOptions& options) {
    options.original_dst.cleanup_interval = std::chrono::milliseconds(20);
  });
  Origin origin(loop);
  Request request;
  const std::string destination = origin.address().to_string();
  ConnectionInfo client;
  client.local_address = destination;
  client.local_address_restored = true;
  EXPECT_FALSE(request.exchange.start(target, request.head, EndStream::kYes, Priority::kDefault,
                                      Protocol::kHttp11, &client));
  auto peer = origin.accept();
  ASSERT_TRUE(
      test::run_until(loop, "the host goes", [this] { return gauge("membership_total") == 0; }));
  answer(peer, request);
  ASSERT_TRUE(test::run_until(loop, "the pool goes",
                              [&target] { return target.active_connections() == 0; }));
  EXPECT_TRUE(target.describe().empty());
  // And comes back.
  EXPECT_NE(target.pick({nullptr, destination}), nullptr);
  EXPECT_EQ(gauge("membership_total"), 1);
}

TEST_F(OriginalHostsTest, AnEditKeepsTheHosts) {
  Pool* before = original().pick({nullptr, "127.0.0.1:80"});
  Cluster& edited = original([](ClusterOptions& options) { options.connect_timeout *= 2; });
  EXPECT_EQ(edited.pick({nullptr, "127.0.0.1:80"}), before);
  EXPECT_FALSE(before->draining());
  Cluster& other =
      original([](ClusterOptions& options) { options.original_dst.port_override = 9; });
  EXPECT_EQ(other.pick({nullptr, "127.0.0.1:80"})->address_text(), "127.0.0.1:9");
  EXPECT_EQ(gauge("membership_total"), 1);
}

}  // namespace
}  // namespace weir::upstream
