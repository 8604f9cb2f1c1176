#include "filters/http/compressor/accept_encoding.h"

#include <string>
#include <vector>
#include <gtest/gtest.h>

namespace weir::filters::test {
namespace {

/// "gzip", "*gzip" for a wildcard, "identity", "none".
std::string choose(std::string_view header, std::vector<Offer> offers = {{"gzip"}, {"br"}}) {
  const Choice choice = choose_encoding(header, offers);
  switch (choice.why) {
    case Choice::Why::kIdentity:
      return "identity";
    case Choice::Why::kNotValid:
      return "none";
    case Choice::Why::kWildcard:
      return "*" + std::string(choice.encoding);
    case Choice::Why::kNamed:
      break;
  }
  return std::string(choice.encoding);
}

TEST(AcceptEncoding, TheHighestWeightWins) {
  EXPECT_EQ(choose("gzip"), "gzip");
  EXPECT_EQ(choose("GZip"), "gzip");
  EXPECT_EQ(choose("gzip;q=0.5, br;q=0.6"), "br");
  EXPECT_EQ(choose("gzip ; q=0.501 ,br; Q=0.5"), "gzip");
  EXPECT_EQ(choose("br, gzip"), "br");
  EXPECT_EQ(choose("deflate, gzip;x=y;q=0.1"), "gzip");
  EXPECT_EQ(choose("identity, gzip;q=0.9"), "identity");
  EXPECT_EQ(choose("identity;q=0.1, gzip;q=0.9"), "gzip");
}

TEST(AcceptEncoding, NoneOfThem) {
  EXPECT_EQ(choose(""), "none");
  EXPECT_EQ(choose("deflate"), "none");
  EXPECT_EQ(choose("gzip;q=0"), "none");
  EXPECT_EQ(choose("gzip;q=0.000, *;q=0"), "none");
  EXPECT_EQ(choose(" , ;q=1"), "none");
}

TEST(AcceptEncoding, Wildcards) {
  EXPECT_EQ(choose("*"), "*gzip");
  EXPECT_EQ(choose("gzip;q=0, *"), "*br");
  EXPECT_EQ(choose("*;q=0, gzip"), "gzip");
  EXPECT_EQ(choose("gzip;q=0, br;q=0, *;q=1"), "none");
  EXPECT_EQ(choose("gzip;q=0.5, *;q=0.4"), "gzip");
  EXPECT_EQ(choose("*", {{"gzip"}, {"br", true}}), "*br");
}

TEST(AcceptEncoding, TheLastThatWantsToBeFirst) {
  EXPECT_EQ(choose("gzip, br", {{"gzip"}, {"br", true}}), "br");
  EXPECT_EQ(choose("gzip, br", {{"gzip", true}, {"br", true}}), "br");
  EXPECT_EQ(choose("br, gzip", {{"gzip", true}, {"br", true}}), "br");
  EXPECT_EQ(choose("br, gzip", {{"gzip", true}, {"br"}}), "gzip");
  EXPECT_EQ(choose("gzip, br;q=0.9", {{"gzip"}, {"br", true}}), "gzip");
}

TEST(AcceptEncoding, WhatCannotBeReadIsLeftOut) {
  for (const char* bad : {"gzip;q=", "gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=-1",
                          "gzip;q=0,5", "gzip;q=.5", "gzip;q=abc"})
    EXPECT_EQ(choose(std::string(bad) + ", br;q=0.1"), "br") << bad;
}

}  // namespace
}  // namespace weir::filters::test
