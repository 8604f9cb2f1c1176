#include "router/timeouts.h"

#include <gtest/gtest.h>

namespace weir::router {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Limit = std::optional<milliseconds>;

TEST(GrpcTimeout, UnitsAndRounding) {
  EXPECT_EQ(parse_grpc_timeout("2H"), Limit(hours(2)));
  EXPECT_EQ(parse_grpc_timeout("3M"), Limit(seconds(180)));
  EXPECT_EQ(parse_grpc_timeout("4S"), Limit(seconds(4)));
  EXPECT_EQ(parse_grpc_timeout("99999999m"), Limit(milliseconds(99999999)));
  EXPECT_EQ(parse_grpc_timeout("1u"), Limit(milliseconds(1)));
  EXPECT_EQ(parse_grpc_timeout("1000001n"), Limit(milliseconds(2)));
  EXPECT_EQ(parse_grpc_timeout("0S"), Limit(milliseconds(0)));
}

TEST(GrpcTimeout, WhatIsNone) {
  for (const char* text : {"", "S", "5", "5s", "123456789S", "-1S", "1.5S", "1 S", "0x1S"})
    EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
}

/// The limit, and what the upstream reads of it.
std::pair<Limit, std::string> limited(const StreamDurationOptions& options, const char* asked,
                                      milliseconds manager = milliseconds(0)) {
  RequestHead head;
  if (asked != nullptr) head.headers.add("grpc-timeout", asked);
  const Limit limit = stream_duration(options, manager, head);
  return {limit, std::string(head.headers.get("grpc-timeout").value_or("none"))};
}

TEST(StreamDuration, RouteWinsOverTheConnectionManager) {
  const StreamDurationOptions none;
  EXPECT_EQ(limited(none, nullptr).first, std::nullopt);
  EXPECT_EQ(limited(none, nullptr, seconds(3)).first, Limit(seconds(3)));
  StreamDurationOptions own;
  own.max = seconds(1);
  EXPECT_EQ(limited(own, nullptr, seconds(3)).first, Limit(seconds(1)));
  own.max = milliseconds(0);
  EXPECT_EQ(limited(own, nullptr, seconds(3)).first, std::nullopt);
}

TEST(StreamDuration, GrpcTimeoutCountsOnlyIfAsked) {
  StreamDurationOptions options;
  options.max = seconds(1);
  using Both = std::pair<Limit, std::string>;
  EXPECT_EQ(limited(options, "5S"), Both(seconds(1), "5S"));
  options.grpc_max = seconds(2);
  EXPECT_EQ(limited(options, "5S"), Both(seconds(2), "2000m"));
  EXPECT_EQ(limited(options, "500m"), Both(milliseconds(500), "500m"));
  EXPECT_EQ(limited(options, nullptr), Both(seconds(1), "none"));
  EXPECT_EQ(limited(options, "nonsense"), Both(seconds(1), "nonsense"));
  options.grpc_max = milliseconds(0);
  EXPECT_EQ(limited(options, "5S"), Both(seconds(5), "5000m"));
  EXPECT_EQ(limited(options, "99999999H").second, "99999999H");
}

TEST(StreamDuration, OffsetNeverGoesBelowZero) {
  StreamDurationOptions options;
  options.grpc_max = milliseconds(0);
  options.grpc_offset = milliseconds(300);
  EXPECT_EQ(limited(options, "1S").first, Limit(milliseconds(700)));
  EXPECT_EQ(limited(options, "200m").first, Limit(milliseconds(0)));
}

}  // namespace
}  // namespace weir::router
