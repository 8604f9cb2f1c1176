#include "router/match.h"

#include <gtest/gtest.h>

#include "unit/stream/matcher_builder.h"

namespace weir::router {
namespace {

TEST(QueryMatch, TheFirstValueOfTheParameterCounts) {
  std::vector<QueryMatch> list(1);
  list[0].name = "a";
  list[0].string = test::string_matcher({{"exact", "1"}});
  EXPECT_TRUE(matches_all(list, "b=2&a=1&a=2"));
  EXPECT_FALSE(matches_all(list, "a=2&a=1"));
  EXPECT_FALSE(matches_all(list, "aa=1"));
  EXPECT_FALSE(matches_all(list, ""));
  list[0].string.reset();
  EXPECT_TRUE(matches_all(list, "a"));
  EXPECT_TRUE(matches_all(list, "x&a="));
  list[0].present = false;
  EXPECT_TRUE(matches_all(list, "x"));
  EXPECT_FALSE(matches_all(list, "a"));
}

TEST(SplitPath, QueryAndFragment) {
  EXPECT_EQ(split_path("/a?b=c?d").path, "/a");
  EXPECT_EQ(split_path("/a?b=c?d").query, "b=c?d");
  EXPECT_EQ(split_path("/a#x?y").path, "/a");
  EXPECT_EQ(split_path("/a#x?y").query, "");
  EXPECT_EQ(split_path("/a?").path, "/a");
}

}  // namespace
}  // namespace weir::router
