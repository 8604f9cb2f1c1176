#include "wasm/header_access.h"

#include <gtest/gtest.h>

#include "unit/filters/fake_view.h"
#include "wasm/limits.h"
#include "wasm/stream_context.h"

namespace weir::wasm {
namespace {

using Change = HeaderAccess::Change;

class HeaderAccessTest : public ::testing::Test {
 protected:
  HeaderAccessTest() {
    request_.set_method("GET");
    request_.set_path("/p?q");
    request_.set_authority("a:80");
    request_.set_scheme("http");
    request_.headers.add("x-a", "1");
    request_.headers.add("x-a", "2");
    response_.status = 204;
  }
  HeaderAccess request() { return {request_.headers, &request_, nullptr, &direction_, true}; }
  HeaderAccess response() { return {response_.headers, nullptr, &response_, &direction_, true}; }
  HeaderAccess trailers() { return {trailers_, nullptr, nullptr, nullptr, true}; }
  static PairViews all(HeaderAccess access, std::string& bytes) {
    size_t count = 0, size = 0;
    access.measure(count, size);
    bytes.assign(pairs_size(count, size), '#');
    PairsWriter writer(bytes.data(), count);
    access.write_pairs(writer);
    return decode_pairs(bytes).value_or(PairViews{{"malformed", ""}});
  }

  RequestHead request_;
  ResponseHead response_;
  HeaderMap trailers_;
  DirectionState direction_;
};

TEST_F(HeaderAccessTest, PseudoHeadersAreEntries) {
  EXPECT_EQ(request().get(":path"), "/p?q");
  EXPECT_EQ(request().get(":METHOD"), "GET");
  EXPECT_EQ(request().get(":scheme"), "http");
  EXPECT_EQ(request().get(":authority"), "a:80");
  EXPECT_EQ(request().get("Host"), "a:80");
  EXPECT_EQ(request().get(":status"), std::nullopt);
  EXPECT_EQ(request().get("X-A"), "1");
  EXPECT_EQ(request().get("x-b"), std::nullopt);
  EXPECT_EQ(response().get(":status"), "204");
  EXPECT_EQ(response().get(":path"), std::nullopt);
  EXPECT_EQ(trailers().get(":status"), std::nullopt);
}

TEST_F(HeaderAccessTest, MeasuresWhatItWrites) {
  std::string bytes;
  EXPECT_EQ(all(request(), bytes), (PairViews{{":authority", "a:80"},
                                              {":path", "/p?q"},
                                              {":method", "GET"},
                                              {":scheme", "http"},
                                              {"x-a", "1"},
                                              {"x-a", "2"}}));
  EXPECT_EQ(all(response(), bytes), (PairViews{{":status", "204"}}));
  EXPECT_TRUE(all(trailers(), bytes).empty());
}

TEST_F(HeaderAccessTest, NamesOfAnyLengthAreReadInAnyCase) {
  for (const size_t size : {63u, 64u, 65u, 200u}) {
    const std::string upper = "X-" + std::string(size - 2, 'N');
    EXPECT_EQ(request().change(Change::kAdd, upper, "v"), Status::kOk);
    EXPECT_EQ(request_.headers.get("x-" + std::string(size - 2, 'n')), "v") << size;
    EXPECT_EQ(request().get(upper), "v") << size;
  }
}

TEST_F(HeaderAccessTest, PseudoHeadersTakeValidValuesOnly) {
  struct Case {
    const char* name;
    const char* good;
    std::vector<std::string_view> bad;
  };
  const Case cases[] = {{":path", "/new", {"", "new", "/a b", "/a#b", "/a\r\nb", "/\x7f", "*x"}},
                        {":method", "PUT", {"", "P T", "P\r"}},
                        {":authority", "b.example:8080", {"user@host", "a,b", "a b", "a:99999"}},
                        {"host", "c", {"a/b"}},
                        {":scheme", "https", {"", "ftp", "HTTP"}}};
  for (const Case& each : cases) {
    for (const std::string_view bad : each.bad) {
      const std::string before(*request().get(each.name));
      EXPECT_EQ(request().change(Change::kReplace, each.name, bad), Status::kBadArgument)
          << each.name << " = " << bad;
      EXPECT_EQ(request().get(each.name), before);
    }
    EXPECT_EQ(request().change(Change::kAdd, each.name, each.good), Status::kOk) << each.name;
    EXPECT_EQ(request().get(each.name), each.good);
  }
  EXPECT_EQ(request_.authority(), "c") << "host is :authority";
  EXPECT_FALSE(request_.headers.get("host"));
  for (const char* name : {":status", ":protocol", ":", ":x"})
    EXPECT_EQ(request().change(Change::kAdd, name, "200"), Status::kBadArgument) << name;
}

TEST_F(HeaderAccessTest, StatusIsAFinalOne) {
  for (const char* bad : {"", "99", "100", "199", "600", "1200", "abc", "+20", "20 "})
    EXPECT_EQ(response().change(Change::kReplace, ":status", bad), Status::kBadArgument) << bad;
  EXPECT_EQ(response_.status, 204);
  EXPECT_EQ(response().change(Change::kReplace, ":status", "599"), Status::kOk);
  EXPECT_EQ(response_.status, 599);
  EXPECT_EQ(response().change(Change::kAdd, ":path", "/"), Status::kBadArgument);
  EXPECT_EQ(trailers().change(Change::kAdd, ":status", "200"), Status::kBadArgument);
  EXPECT_EQ(response().change(Change::kAdd, "host", "plain here"), Status::kOk);
}

TEST_F(HeaderAccessTest, PseudoHeadersStay) {
  const std::string path(*request().get(":path"));
  const std::string authority(*request().get("host"));
  for (const char* name : {":path", ":status", "Host", ":x"}) {
    EXPECT_EQ(request().remove(name), Status::kOk) << name;
    EXPECT_EQ(response().remove(name), Status::kOk) << name;
    EXPECT_EQ(trailers().remove(name), Status::kOk) << name;
  }
  EXPECT_EQ(request().get(":path"), path);
  EXPECT_EQ(request().get("host"), authority);
  EXPECT_EQ(response().get(":status"), "204");
  EXPECT_EQ(request().remove("X-A"), Status::kOk);
  EXPECT_TRUE(request_.headers.empty());
}

TEST_F(HeaderAccessTest, ValuesOfOneNameAreJoined) {
  request_.headers.add("x-b", "1");
  request_.headers.add("x-c", "other");
  request_.headers.add("x-b", "");
  request_.headers.add("x-b", "2, 3");
  for (const char* name : {"cookie", "set-cookie"}) {
    request_.headers.add(name, "a=1");
    request_.headers.add(name, "b=2");
  }
  EXPECT_EQ(request().get("x-b"), "1");
  EXPECT_EQ(request().get_joined("X-B"), "1, , 2, 3");
  EXPECT_EQ(request().get_joined("x-c"), "other");
  EXPECT_EQ(request().get_joined("cookie"), "a=1; b=2");
  EXPECT_EQ(request().get_joined("set-cookie"), "a=1");
  EXPECT_EQ(request().get_joined(":method"), request().get(":method"));
  EXPECT_EQ(request().get_joined("host"), request().get(":authority"));
  EXPECT_FALSE(request().get_joined("x-none"));
}

TEST_F(HeaderAccessTest, FieldsThatNoMessageMayCarryAreRefused) {
  for (const char* name : {"", "a b", "a:b", "a\r\nb", "\xc3\xa4"})
    EXPECT_EQ(request().change(Change::kAdd, name, "v"), Status::kBadArgument) << name;
  using namespace std::string_view_literals;
  for (const std::string_view value : {"a\r\nx: y"sv, "a\nb"sv, "a\0b"sv, "\x1b"sv})
    EXPECT_EQ(request().change(Change::kAdd, "x-b", value), Status::kBadArgument);
  EXPECT_EQ(request().change(Change::kAdd, "content-length", "1x"), Status::kBadArgument);
  EXPECT_EQ(request_.headers.size(), 2u);
}

TEST_F(HeaderAccessTest, FramingIsTheCodecs) {
  for (const char* name : {"Transfer-Encoding", "connection", "keep-alive", "proxy-connection",
                           "upgrade", "http2-settings", "te"})
    EXPECT_EQ(request().change(Change::kAdd, name, "chunked"), Status::kOk) << name;
  EXPECT_EQ(request_.headers.size(), 2u);
  EXPECT_FALSE(direction_.body_changed);
  request().change(Change::kAdd, "content-length", "5");
  request().change(Change::kAdd, "Content-Length", "6");
  EXPECT_EQ(request_.headers.joined("content-length"), "6") << "never two";
  EXPECT_TRUE(direction_.body_changed);
}

TEST_F(HeaderAccessTest, TheMapHasABoundInEntries) {
  HeaderAccess access = trailers();
  for (size_t i = 0; i < kMaxHeaderMapCount; ++i)
    ASSERT_EQ(access.change(Change::kAdd, "k", "v"), Status::kOk);
  EXPECT_FALSE(access.full());
  EXPECT_EQ(access.change(Change::kAdd, "k", "v"), Status::kBadArgument);
  EXPECT_TRUE(access.full());
  HeaderAccess again = trailers();
  EXPECT_EQ(again.set_all(PairViews(kMaxHeaderMapCount + 1, {"k", "v"})), Status::kBadArgument);
  EXPECT_TRUE(again.full());
  EXPECT_EQ(again.set_all(PairViews(kMaxHeaderMapCount, {"k", "v"})), Status::kOk);
  EXPECT_FALSE(again.full());
}

TEST_F(HeaderAccessTest, TheMapHasABoundInBytes) {
  const std::string half(kMaxHeaderMapBytes / 2 - 1, 'v');
  HeaderAccess access = trailers();
  EXPECT_EQ(access.change(Change::kAdd, "a", half), Status::kOk);
  EXPECT_EQ(access.change(Change::kAdd, "b", half), Status::kOk) << "exactly all of it";
  EXPECT_EQ(access.change(Change::kAdd, "c", ""), Status::kBadArgument);
  EXPECT_TRUE(access.full());
  EXPECT_EQ(trailers_.size(), 2u);
}

TEST_F(HeaderAccessTest, TheBoundIsTheConfigurations) {
  HeaderAccess access = trailers();
  access.limit_to(1024);
  EXPECT_EQ(access.change(Change::kAdd, "a", std::string(1023, 'v')), Status::kOk);
  EXPECT_EQ(access.change(Change::kAdd, "b", ""), Status::kBadArgument);
  EXPECT_TRUE(access.full());
  EXPECT_EQ(access.set_all({{"c", std::string(1024, 'v')}}), Status::kBadArgument);
}

// What is replaced stays in the arena of the map: a loop must not grow it for ever.
TEST_F(HeaderAccessTest, ReplacingHasABoundToo) {
  const std::string value = "/" + std::string(100'000, 'v');
  for (const char* name : {"x-b", ":path"}) {
    HeaderAccess access = request();
    int taken = 0;
    while (taken < 1000 && access.change(Change::kReplace, name, value) == Status::kOk) ++taken;
    EXPECT_GT(taken, 0) << name;
    EXPECT_TRUE(access.full()) << name;
    EXPECT_LT(request_.headers.arena_bytes(), 5 * kMaxHeaderMapBytes) << name;
    request_.clear();
  }
  const std::string huge = "/" + std::string(kMaxHeaderMapBytes, 'v');
  HeaderAccess access = request();
  EXPECT_EQ(access.change(Change::kReplace, ":path", huge), Status::kBadArgument);
  EXPECT_TRUE(access.full());
}

TEST_F(HeaderAccessTest, SetAllReplacesFieldsAndKeepsWhatIsNotGiven) {
  EXPECT_EQ(request().set_all({{":path", "/new"}, {"X-B", "1"}, {"x-b", "2"}, {"te", "x"}}),
            Status::kOk);
  std::string bytes;
  EXPECT_EQ(all(request(), bytes), (PairViews{{":authority", "a:80"},
                                              {":path", "/new"},
                                              {":method", "GET"},
                                              {":scheme", "http"},
                                              {"x-b", "1"},
                                              {"x-b", "2"}}));
}

TEST_F(HeaderAccessTest, SetAllIsAllOrNothing) {
  std::string before_bytes, after_bytes;
  const PairViews before = all(request(), before_bytes);
  const std::string huge(kMaxHeaderMapBytes, 'v');
  const PairViews bad[] = {{{"x-b", "1"}, {":path", ""}},
                           {{":path", "/new"}, {"x b", "1"}},
                           {{":path", "/new"}, {"x-b", "1\n2"}},
                           {{":path", "/new"}, {":status", "200"}},
                           {{":path", "/new"}, {"x-b", huge}}};
  for (const PairViews& pairs : bad) {
    EXPECT_EQ(request().set_all(pairs), Status::kBadArgument) << pairs.back().first;
    EXPECT_EQ(all(request(), after_bytes), before) << pairs.back().first;
  }
}

// Small texts share blocks of the arena; what is lost at their ends must not cut a map in the middle.
TEST_F(HeaderAccessTest, SetAllIsAllOrNothingWhenTheArenaIsNearlyFull) {
  const std::string value(1000, 'v');
  const PairViews pairs(100, {"k", value});
  Status status = Status::kOk;
  for (int i = 0; i < 100 && status == Status::kOk; ++i) {
    trailers().change(Change::kReplace, "filler", value);
    const size_t before = trailers_.size();
    status = trailers().set_all(pairs);
    EXPECT_EQ(trailers_.size(), status == Status::kOk ? pairs.size() : before) << i;
  }
  EXPECT_EQ(status, Status::kBadArgument) << "the arena is bounded";
}

}  // namespace
}  // namespace weir::wasm
