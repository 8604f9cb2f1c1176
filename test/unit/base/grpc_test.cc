#include <gtest/gtest.h>

#include <string>
#include <weir/grpc.h>
#include <weir/grpc_client.h>

namespace weir::test {
namespace {

std::string frame(std::string_view message) {
  const auto prefix = grpc_prefix(static_cast<uint32_t>(message.size()));
  return std::string(prefix.data(), prefix.size()).append(message);
}

TEST(GrpcReader, MessagesSplitAtEveryByte) {
  const std::string all = frame("one") + frame("") + frame(std::string(300, 'x'));
  for (size_t split = 0; split <= all.size(); ++split) {
    GrpcReader reader(300);
    std::string seen;
    for (const std::string_view piece :
         {std::string_view(all).substr(0, split), std::string_view(all).substr(split)}) {
      Buffer data(piece);
      reader.add(data);
      EXPECT_TRUE(data.empty());
      for (;;) {
        Buffer message;
        const auto next = reader.next(message);
        if (next == GrpcReader::Next::kMore) break;
        ASSERT_EQ(next, GrpcReader::Next::kMessage);
        seen += std::to_string(message.size()) + ":" + message.to_string().substr(0, 3) + " ";
      }
    }
    EXPECT_EQ(seen, "3:one 0: 300:xxx ") << split;
    EXPECT_TRUE(reader.at_boundary());
  }
}

TEST(GrpcReader, LimitsAndFlagsAreSeenWithThePrefix) {
  const auto of = [](std::string_view bytes) {
    GrpcReader reader(4);
    Buffer data(bytes);
    reader.add(data);
    Buffer message;
    return reader.next(message);
  };
  EXPECT_EQ(of(std::string("\0\0\0\0\4", 5)), GrpcReader::Next::kMore);
  EXPECT_EQ(of(std::string("\0\0\0\0\5", 5)), GrpcReader::Next::kTooLarge);
  EXPECT_EQ(of(std::string("\0\xff\xff\xff\xff", 5)), GrpcReader::Next::kTooLarge);
  EXPECT_EQ(of(std::string("\1\0\0\0\0", 5)), GrpcReader::Next::kCompressed);
}

TEST(Grpc, MessagesArePercentEncoded) {
  EXPECT_EQ(grpc_message_decode("a%20b%2Fc%c3%A4"), "a b/c\xc3\xa4");
  EXPECT_EQ(grpc_message_decode("100%"), "100%");
  EXPECT_EQ(grpc_message_decode("%4"), "%4");
  EXPECT_EQ(grpc_message_decode("%zz%41"), "%zzA");
  for (const std::string text : {"", "%", "\x01\xff %25", "plain"})
    EXPECT_EQ(grpc_message_decode(grpc_message_encode(text)), text);
}

TEST(Grpc, StatusOfTrailers) {
  const auto of = [](const char* status) {
    HeaderMap trailers;
    if (status != nullptr) trailers.add("grpc-status", status);
    trailers.add("grpc-message", "a%20b");
    return grpc_status_of(trailers);
  };
  EXPECT_EQ(of("0").code, GrpcCode::kOk);
  EXPECT_EQ(of("16").code, GrpcCode::kUnauthenticated);
  EXPECT_EQ(of("16").message, "a b");
  for (const char* bad : {"17", "-1", "", "1 ", "0x1", "99999999999999999999"})
    EXPECT_EQ(of(bad).code, GrpcCode::kUnknown) << bad;
  EXPECT_EQ(of(nullptr).message, "the answer has no grpc-status");
}

TEST(Grpc, TimeoutsHaveEightDigitsAtMost) {
  EXPECT_EQ(grpc_timeout(1), "1m");
  EXPECT_EQ(grpc_timeout(99999999), "99999999m");
  EXPECT_EQ(grpc_timeout(100000000), "100000S");
  EXPECT_EQ(grpc_timeout(INT64_MAX), "99999999H");
}

TEST(Grpc, StatusOfWhatFailsBelow) {
  const auto of = [](Code code) { return grpc_status_of(Error{code, Side::kUpstream, "why"}); };
  EXPECT_EQ(of(Code::kTimeout).code, GrpcCode::kDeadlineExceeded);
  EXPECT_EQ(of(Code::kReset).code, GrpcCode::kInternal);
  EXPECT_EQ(of(Code::kProtocol).code, GrpcCode::kInternal);
  EXPECT_EQ(of(Code::kNoHealthyHost).code, GrpcCode::kUnavailable);
  EXPECT_EQ(of(Code::kBadVersion).message, "why");
}

}  // namespace
}  // namespace weir::test
