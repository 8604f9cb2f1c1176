#include "wasm/grpc_service.h"

#include <gtest/gtest.h>

#include <string>

#include "wasm/limits.h"

namespace weir::wasm {
namespace {

std::string field(int number, std::string_view bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  out += static_cast<char>(bytes.size());
  return out.append(bytes);
}

TEST(GrpcService, EnvoyGrpc) {
  const std::string header = field(1, "k") + field(2, "v");
  const std::string raw = field(1, "b") + field(3, std::string("\0\1", 2));
  const std::string duration("\x08\x02\x10\x80\x89\x7a", 6);  // 2 s and 2,000,000 ns
  const auto target = parse_grpc_service(field(1, field(1, "auth") + field(2, "auth.example")) +
                                         field(3, duration) + field(5, header) + field(5, raw));
  ASSERT_TRUE(target);
  EXPECT_EQ(target->cluster, "auth");
  EXPECT_EQ(target->authority, "auth.example");
  EXPECT_EQ(target->timeout.count(), 2002);
  ASSERT_EQ(target->metadata.size(), 2u);
  EXPECT_EQ(target->metadata[0], (std::pair<std::string, std::string>("k", "v")));
  EXPECT_EQ(target->metadata[1].second, std::string("\0\1", 2));
}

TEST(GrpcService, GoogleGrpcsTargetIsACluster) {
  EXPECT_EQ(parse_grpc_service(field(2, field(1, "dns:///auth:443")))->cluster, "auth:443");
  EXPECT_EQ(parse_grpc_service(field(2, field(1, "auth:443") + field(4, "stats")))->cluster,
            "auth:443");
}

TEST(GrpcService, UnknownFieldsAreSkipped) {
  const std::string more = std::string("\x38\x96\x01", 3) + std::string("\x41", 1) +
                           std::string(8, 'x') + std::string("\x4d", 1) + "four";
  EXPECT_EQ(parse_grpc_service(more + field(1, field(1, "c") + field(9, "?")))->cluster, "c");
}

TEST(GrpcService, MetadataIsBounded) {
  std::string service = field(1, field(1, "cluster"));
  for (size_t i = 0; i < kMaxPairs; ++i) service += field(5, field(1, "k"));
  ASSERT_TRUE(parse_grpc_service(service));
  EXPECT_FALSE(parse_grpc_service(service + field(5, field(1, "k"))));
  std::string large = field(1, field(1, "cluster"));
  while (large.size() <= kMaxPairsBytes) large += field(9, std::string(100, 'x'));
  EXPECT_FALSE(parse_grpc_service(large));
}

TEST(GrpcService, NothingOfWhatIsNoSuchMessage) {
  const std::string good = field(1, field(1, "cluster")) + field(3, "\x08\x01") +
                           field(5, field(1, "key") + field(2, "value"));
  ASSERT_TRUE(parse_grpc_service(good));
  for (size_t size = 0; size < good.size(); ++size) {
    const auto cut = parse_grpc_service(good.substr(0, size));
    // Cut between two fields it is a message too.
    EXPECT_EQ(cut.has_value(), size == 11 || size == 15) << size;
  }
  for (const std::string& bad :
       {std::string("plain_cluster"), std::string(), std::string("\0\0", 2),
        std::string(11, '\xff'), field(1, ""), field(1, field(1, "")), std::string("\x0b\x0c", 2),
        field(1, field(1, "c")) + field(3, std::string("\x10\xff\xff\xff\xff\x0f", 6)),
        field(1, field(1, "c")) + field(5, field(2, "no key"))})
    EXPECT_FALSE(parse_grpc_service(bad)) << bad;
}

}  // namespace
}  // namespace weir::wasm
