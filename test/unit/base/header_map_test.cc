#include <gtest/gtest.h>
#include <weir/header_map.h>
#include <weir/message.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace weir {
namespace {

std::string text_of(const HeaderMap& map) {
  std::string text;
  for (const auto& entry : map)
    text += std::string(entry.name) + "=" + std::string(entry.value) + ";";
  return text;
}

size_t bytes_of(const HeaderMap& map) {
  size_t bytes = 0;
  for (const auto& entry : map) bytes += entry.name.size() + entry.value.size();
  return bytes;
}

TEST(HeaderId, EveryInternedNameIsFoundAndOthersAreNot) {
  for (size_t i = 1; i < static_cast<size_t>(HeaderId::kCount_); ++i) {
    const auto id = static_cast<HeaderId>(i);
    EXPECT_EQ(header_id(header_name(id)), id) << header_name(id);
  }
  EXPECT_EQ(header_id(""), HeaderId::kOther);
  EXPECT_EQ(header_id("x-mine"), HeaderId::kOther);
  EXPECT_EQ(header_id("Host"), HeaderId::kOther);
  EXPECT_EQ(header_id("hosts"), HeaderId::kOther);
  EXPECT_EQ(header_name(HeaderId::kHost), "host");
  EXPECT_EQ(header_name(HeaderId::kXEnvoyExpectedRqTimeoutMs), "x-envoy-expected-rq-timeout-ms");
  EXPECT_EQ(header_name(HeaderId::kWwwAuthenticate), "www-authenticate");
}

TEST(HeaderMap, AddsInOrderAndFindsByIdAndName) {
  HeaderMap map;
  map.add("Content-Type", "text/plain");
  map.add("X-Mine", "1");
  map.add(HeaderId::kAccept, "*/*");
  map.add("x-mine", "2");
  EXPECT_EQ(text_of(map), "content-type=text/plain;x-mine=1;accept=*/*;x-mine=2;");
  EXPECT_EQ(map.get(HeaderId::kContentType), "text/plain");
  EXPECT_EQ(map.get("accept"), "*/*");
  EXPECT_EQ(map.get("x-mine"), "1");
  EXPECT_EQ(map.get("absent"), std::nullopt);
  EXPECT_EQ(map.count("x-mine"), 2u);
  EXPECT_EQ(map.joined("x-mine"), "1,2");
  EXPECT_TRUE(map.has(HeaderId::kAccept));
  EXPECT_FALSE(map.has(HeaderId::kHost));
  EXPECT_EQ(map.byte_size(), bytes_of(map));
}

TEST(HeaderMap, SetReplacesTheFirstAndRemovesTheRest) {
  HeaderMap map;
  map.add("a", "1");
  map.add("b", "2");
  map.add("A", "3");
  map.set("A", "long value that is new");
  EXPECT_EQ(text_of(map), "a=long value that is new;b=2;");
  map.set(HeaderId::kServer, "weir");
  map.set("server", "other");
  EXPECT_EQ(text_of(map), "a=long value that is new;b=2;server=other;");
  EXPECT_EQ(map.byte_size(), bytes_of(map));
}

TEST(HeaderMap, RemovesByIdNameAndPredicate) {
  HeaderMap map;
  for (const char* name : {"te", "x-a", "te", "x-b", "cookie"}) map.add(name, "v");
  EXPECT_EQ(map.remove(HeaderId::kTe), 2u);
  EXPECT_EQ(map.remove("x-b"), 1u);
  EXPECT_EQ(map.remove("cookie"), 1u);
  EXPECT_EQ(map.remove("cookie"), 0u);
  EXPECT_EQ(text_of(map), "x-a=v;");
  EXPECT_EQ(
      map.remove_if([](const HeaderMap::Entry& entry) { return entry.name.starts_with("x-"); }),
      1u);
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.byte_size(), 0u);
}

TEST(HeaderMap, ViewsStayValidUntilClear) {
  HeaderMap map;
  std::vector<std::pair<std::string_view, std::string>> views;
  for (int i = 0; i < 300; ++i) {
    const std::string value(static_cast<size_t>(i * 17 % 3000), static_cast<char>('a' + i % 26));
    const std::string name = "x-" + std::to_string(i);
    map.add(name, value);
    views.emplace_back(*map.get(name), value);
    if (i % 3 == 0) map.remove(name);
    if (i % 5 == 1) map.set(name, "other");
  }
  for (const auto& [view, expected] : views) ASSERT_EQ(view, expected);
}

TEST(HeaderMap, LargeTextsAndReuseAfterClear) {
  HeaderMap map;
  const std::string large(100000, 'L');
  for (const size_t n : {size_t{2032}, size_t{2031}, size_t{1016}, size_t{1017}, size_t{100000}}) {
    map.add("x", std::string_view(large).substr(0, n));
    EXPECT_EQ((map.end() - 1)->value.size(), n);
  }
  EXPECT_GE(map.arena_bytes(), 106000u);
  map.clear();
  EXPECT_TRUE(map.empty());
  EXPECT_LE(map.arena_bytes(), 2048u);
  map.add("again", "yes");
  EXPECT_EQ(text_of(map), "again=yes;");
}

TEST(HeaderMap, CopyIsIndependent) {
  HeaderMap copy;
  copy.add("old", "gone");
  {
    HeaderMap map;
    map.add("X-A", "1");
    map.add("host", "h");
    copy.copy_from(map);
  }
  EXPECT_EQ(text_of(copy), "x-a=1;host=h;");
  EXPECT_TRUE(copy.has(HeaderId::kHost));
  copy.copy_from(copy);
  EXPECT_EQ(copy.size(), 2u);
}

TEST(HeaderMap, MovesWithItsArena) {
  HeaderMap map;
  map.add("x-a", "value");
  const char* place = map.begin()->value.data();
  HeaderMap moved(std::move(map));
  EXPECT_EQ(moved.begin()->value.data(), place);
  EXPECT_TRUE(map.empty());  // NOLINT: a moved-from map is empty and usable
  map.add("y", "2");
  moved = std::move(map);
  EXPECT_EQ(text_of(moved), "y=2;");
}

TEST(HeaderMap, ParserStoresInPlace) {
  HeaderMap map;
  char* at = map.allocate(9);
  std::copy_n("x-namevvv", 9, at);
  map.add_stored({at, 6}, {at + 6, 3}, HeaderId::kOther);
  EXPECT_EQ(text_of(map), "x-name=vvv;");
}

TEST(RequestHead, ClearForgetsTheTarget) {
  RequestHead head;
  head.set_method("GET");
  head.set_path("/x?y");
  head.set_authority("host");
  head.headers.add("a", "b");
  EXPECT_EQ(head.path(), "/x?y");
  head.clear();
  EXPECT_TRUE(head.path().empty());
  EXPECT_TRUE(head.headers.empty());
}

}  // namespace
}  // namespace weir
