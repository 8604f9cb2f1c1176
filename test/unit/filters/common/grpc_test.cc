#include <weir/grpc.h>

#include "filters/common/grpc.h"

#include <string>
#include <gtest/gtest.h>

namespace weir::filters::test {
namespace {

std::string message(std::string_view text) {
  std::string out(4, '\0');
  out += static_cast<char>(text.size());
  return out.append(text);
}

TEST(GrpcFrames, CountsWhereverTheBodyIsCut) {
  const std::string body = message("abc") + message("") + message(std::string(200, 'x'));
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    GrpcFrames frames;
    frames.skip(std::string_view(body).substr(0, cut));
    EXPECT_EQ(frames.at_boundary(), cut == 0 || cut == 8 || cut == 13 || cut == body.size()) << cut;
    frames.skip(std::string_view(body).substr(cut));
    EXPECT_EQ(frames.messages(), 3u) << cut;
    EXPECT_TRUE(frames.at_boundary()) << cut;
  }
}

TEST(GrpcFrames, StopsAtTheEndOfEachMessage) {
  const std::string body = message("abc") + message("");
  GrpcFrames frames;
  EXPECT_EQ(frames.advance(body), 8u);
  EXPECT_EQ(frames.advance(std::string_view(body).substr(8)), 5u);
  EXPECT_EQ(frames.messages(), 2u);
}

TEST(GrpcFrames, LongMessages) {
  GrpcFrames frames;
  frames.skip(std::string_view("\0\xff\xff\xff\xff", 5));
  EXPECT_EQ(frames.advance(std::string(100000, 'x')), 100000u);
  EXPECT_FALSE(frames.at_boundary());
  EXPECT_EQ(frames.messages(), 1u);
}

TEST(GrpcType, Forms) {
  for (const char* good : {"application/grpc", "application/grpc+proto"})
    EXPECT_TRUE(is_grpc_content_type(good)) << good;
  for (const char* bad :
       {"", "application/grpc-web", "application/grp", "application/grpc;x=y", "text/plain"})
    EXPECT_FALSE(is_grpc_content_type(bad)) << bad;
}

}  // namespace
}  // namespace weir::filters::test
