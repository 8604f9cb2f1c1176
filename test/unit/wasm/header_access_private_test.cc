// Header maps under privacy, through the functions that guests call.
#include <gtest/gtest.h>

#include "unit/wasm/privacy_maker.h"
#include "wasm/header_access.h"
#include "wasm/limits.h"
#include "wasm/stream_context.h"

namespace weir::wasm {
namespace {

using Change = HeaderAccess::Change;
using filters::test::text;

class PrivateHeaders : public ::testing::Test {
 protected:
  PrivateHeaders() {
    head_.set_method("GET");
    head_.set_path("/p?token=t&a=1");
    head_.set_authority("host.example");
    head_.set_scheme("http");
    for (const auto& [name, value] :
         {std::pair("authorization", "Bearer s"), std::pair("x-secret-a", "s1"),
          std::pair("cookie", "sid=s; b=2"), std::pair("x-a", "1"), std::pair("x-secret-a", "s2"),
          std::pair("x-forwarded-for", "192.0.2.43")})
      head_.headers.add(name, value);
    Object headers = hide({"authorization", "x-hidden"});
    headers.merge(mask({"x-secret-*"}));
    rules_ = privacy({{"request_headers", headers},
                      {"cookies", hide({"sid"})},
                      {"query_parameters", hide({"token"})},
                      {"client_address", "MASK"}});
  }
  HeaderAccess request() {
    HeaderAccess access(head_.headers, &head_, nullptr, &direction_, true);
    access.restrict(rules_.get(), Direction::kRequest);
    return access;
  }
  PairViews all() {
    HeaderAccess access = request();
    size_t count = 0, size = 0;
    access.measure(count, size);
    bytes_.assign(pairs_size(count, size), '#');
    PairsWriter writer(bytes_.data(), count);
    access.write_pairs(writer);
    return decode_pairs(bytes_).value_or(PairViews{{"malformed", ""}});
  }
  void change(Change how, std::string_view name, std::string_view value, bool refused = false) {
    HeaderAccess access = request();
    EXPECT_EQ(access.change(how, name, value), Status::kOk) << name;
    EXPECT_EQ(access.refused(), refused) << name;
  }

  std::shared_ptr<const Privacy> rules_;
  RequestHead head_;
  DirectionState direction_;
  std::string bytes_;
};

TEST_F(PrivateHeaders, ReadsShowWhatMayBeSeen) {
  EXPECT_EQ(request().get("Authorization"), std::nullopt);
  EXPECT_EQ(request().get("x-secret-a"), "***");
  HeaderAccess access = request();
  EXPECT_EQ(access.get("cookie"), "b=2");
  EXPECT_EQ(access.get(":path"), "/p?a=1");
  EXPECT_EQ(access.get("x-forwarded-for"), "192.0.2.0");
  EXPECT_EQ(access.get("host"), "host.example");
  EXPECT_EQ(access.get("x-a"), "1");
}

TEST_F(PrivateHeaders, AWholeMapIsThatTooAndItsSizeIsThatOfWhatIsSeen) {
  const PairViews expected{{":authority", "host.example"},
                           {":path", "/p?a=1"},
                           {":method", "GET"},
                           {":scheme", "http"},
                           {"x-secret-a", "***"},
                           {"cookie", "b=2"},
                           {"x-a", "1"},
                           {"x-secret-a", "***"},
                           {"x-forwarded-for", "192.0.2.0"}};
  EXPECT_EQ(all(), expected);
  EXPECT_EQ(shown_count(rules_.get(), Direction::kRequest, head_.headers, &head_, nullptr), 9u);
  EXPECT_EQ(shown_count(nullptr, Direction::kRequest, head_.headers, &head_, nullptr), 10u);
  head_.headers.set("authorization", std::string(1000, 'x'));
  HeaderAccess access = request();
  size_t count = 0, size = 0;
  access.measure(count, size);
  EXPECT_LT(size, 300u);
}

TEST_F(PrivateHeaders, WhatIsHiddenCannotBeChanged) {
  const std::string before = text(head_.headers);
  change(Change::kAdd, "Authorization", "forged", true);
  change(Change::kReplace, "authorization", "forged", true);
  change(Change::kAdd, "x-hidden", "forged", true);
  change(Change::kReplace, "cookie", "sid=forged; b=2", true);
  change(Change::kReplace, ":path", "/p?a=1&token=forged", true);
  HeaderAccess access = request();
  EXPECT_EQ(access.remove("authorization"), Status::kOk);
  EXPECT_TRUE(access.refused());
  EXPECT_NE(text(head_.headers).find("authorization=Bearer s;"), std::string::npos);
  EXPECT_EQ(head_.headers.get("cookie"), "b=2; sid=s");
  EXPECT_EQ(head_.path(), "/p?a=1&token=t");
  head_.headers.set("cookie", "sid=s; b=2");
  EXPECT_EQ(text(head_.headers), before);
}

TEST_F(PrivateHeaders, ValuesMayBeAddedToWhatIsSeen) {
  change(Change::kAdd, "cookie", "c=3");
  change(Change::kAdd, "cookie", "sid=forged", true);
  EXPECT_EQ(head_.headers.joined("cookie"), "sid=s; b=2,c=3");
  change(Change::kAdd, "x-secret-a", "mine");
  EXPECT_EQ(head_.headers.joined("x-secret-a"), "s1,s2,mine");
}

TEST_F(PrivateHeaders, RemovingTakesWhatIsSeen) {
  EXPECT_EQ(request().remove("cookie"), Status::kOk);
  EXPECT_EQ(head_.headers.joined("cookie"), "sid=s");
  EXPECT_EQ(request().get("cookie"), std::nullopt);
  EXPECT_EQ(request().remove("x-secret-a"), Status::kOk);
  EXPECT_EQ(head_.headers.count("x-secret-a"), 0u);
  EXPECT_EQ(request().remove(":path"), Status::kOk);
}

TEST_F(PrivateHeaders, WhatIsReadAndWrittenBackChangesNothing) {
  const std::string before = text(head_.headers);
  for (const char* name : {":path", "cookie", "x-forwarded-for", ":authority", "x-a"}) {
    HeaderAccess access = request();
    const std::string value(access.get(name).value_or(""));
    change(Change::kReplace, name, value);
  }
  EXPECT_EQ(text(head_.headers), before);
  EXPECT_EQ(head_.path(), "/p?token=t&a=1");

  HeaderAccess access = request();
  EXPECT_EQ(access.set_all(all()), Status::kOk);
  EXPECT_FALSE(access.refused());
  EXPECT_EQ(head_.headers.joined("x-secret-a"), "s1,s2");
  EXPECT_EQ(head_.headers.get("authorization"), "Bearer s");
  EXPECT_EQ(head_.headers.joined("cookie"), "sid=s; b=2");
  EXPECT_EQ(head_.headers.get("x-forwarded-for"), "192.0.2.43");
  EXPECT_EQ(head_.path(), "/p?token=t&a=1");
  EXPECT_EQ(head_.headers.size(), 6u);
}

TEST_F(PrivateHeaders, SetAllKeepsWhatIsHidden) {
  HeaderAccess access = request();
  EXPECT_EQ(access.set_all({{":path", "/new"}, {"X-B", "1"}, {"authorization", "forged"}}),
            Status::kOk);
  EXPECT_TRUE(access.refused());
  EXPECT_EQ(head_.path(), "/new?token=t");
  EXPECT_EQ(text(head_.headers), "x-b=1;authorization=Bearer s;cookie=sid=s;");
}

TEST_F(PrivateHeaders, SetAllIsAllOrNothing) {
  const std::string before = text(head_.headers);
  const std::string huge(kMaxHeaderMapBytes, 'v');
  for (const PairViews& bad :
       {PairViews{{"x-b", "1"}, {":path", "no path"}}, PairViews{{":path", "/new"}, {"x b", "1"}},
        PairViews{{":path", "/new"}, {"authorization", "a\nb"}},
        PairViews{{":path", "/new"}, {"x-b", huge}},
        PairViews{{":path", "/new"}, {":status", "200"}}}) {
    EXPECT_EQ(request().set_all(bad), Status::kBadArgument) << bad.back().first;
    EXPECT_EQ(text(head_.headers), before);
    EXPECT_EQ(head_.path(), "/p?token=t&a=1");
  }
}

TEST_F(PrivateHeaders, PseudoHeadersHaveRulesToo) {
  Object headers = hide({"host"});
  headers.merge(mask({":path", ":method"}));
  rules_ = privacy({{"request_headers", headers}});
  EXPECT_EQ(request().get(":authority"), std::nullopt);
  EXPECT_EQ(request().get("host"), std::nullopt);
  EXPECT_EQ(request().get(":path"), "***");
  change(Change::kReplace, "host", "forged", true);
  change(Change::kReplace, ":path", "***");
  change(Change::kReplace, ":method", "PUT");
  EXPECT_EQ(head_.authority(), "host.example");
  EXPECT_EQ(head_.path(), "/p?token=t&a=1");
  EXPECT_EQ(head_.method(), "PUT");
  EXPECT_EQ(request().set_all({{":path", "***"}, {":authority", "forged"}}), Status::kOk);
  EXPECT_EQ(head_.path(), "/p?token=t&a=1");
  EXPECT_EQ(head_.authority(), "host.example");
}

TEST_F(PrivateHeaders, AListOfWhatIsShownHidesEverythingElse) {
  rules_ = privacy({{"request_headers", only({"x-a", ":method"})}});
  EXPECT_EQ(all(), (PairViews{{":method", "GET"}, {"x-a", "1"}}));
  const size_t before = head_.headers.size();
  EXPECT_EQ(request().set_all({}), Status::kOk);
  EXPECT_EQ(head_.headers.size(), before - 1) << "x-a alone";
}

// Another body needs another length, and a guest need not see the old one for that.
TEST_F(PrivateHeaders, AContentLengthCanAlwaysBeRemoved) {
  rules_ = privacy({{"request_headers", only({})}});
  head_.headers.add("content-length", "5");
  EXPECT_EQ(request().set_all({}), Status::kOk);
  EXPECT_EQ(head_.headers.get("content-length"), "5");
  EXPECT_EQ(request().remove("Content-Length"), Status::kOk);
  EXPECT_EQ(head_.headers.get("content-length"), std::nullopt);
}

TEST_F(PrivateHeaders, AMaskedContentLengthIsWrittenBackAndNeverSent) {
  rules_ = privacy({{"request_headers", mask({"content-length"})}});
  EXPECT_EQ(request().change(Change::kReplace, "content-length", "***"), Status::kBadArgument);
  EXPECT_EQ(request().change(Change::kAdd, "content-length", "***"), Status::kBadArgument);
  EXPECT_EQ(request().set_all({{"content-length", "***"}}), Status::kBadArgument);
  head_.headers.add("content-length", "5");
  EXPECT_EQ(request().get("content-length"), "***");
  EXPECT_EQ(request().set_all({{"content-length", "***"}, {"content-length", "***"}}),
            Status::kBadArgument);
  EXPECT_EQ(request().set_all(all()), Status::kOk);
  change(Change::kReplace, "content-length", "***");
  EXPECT_EQ(head_.headers.joined("content-length"), "5");
  change(Change::kReplace, "content-length", "6");
  EXPECT_EQ(head_.headers.joined("content-length"), "6");
}

TEST_F(PrivateHeaders, TheBoundsHoldForWhatIsKeptToo) {
  head_.headers.set("authorization", std::string(kMaxHeaderMapBytes - 1000, 's'));
  HeaderAccess access = request();
  EXPECT_EQ(access.set_all({{"x-b", std::string(2000, 'v')}}), Status::kBadArgument);
  EXPECT_TRUE(access.full());
  EXPECT_EQ(access.set_all({{"x-b", "v"}}), Status::kOk);
}

TEST_F(PrivateHeaders, ResponsesHaveRulesOfTheirOwn) {
  rules_ = privacy({{"response_headers", hide({"set-cookie", ":status"})}});
  ResponseHead response;
  response.status = 204;
  response.headers.add("set-cookie", "sid=s");
  response.headers.add("x-a", "1");
  HeaderAccess access(response.headers, nullptr, &response, &direction_, true);
  access.restrict(rules_.get(), Direction::kResponse);
  EXPECT_EQ(access.get(":status"), std::nullopt);
  EXPECT_EQ(access.get("set-cookie"), std::nullopt);
  EXPECT_EQ(access.change(Change::kReplace, ":status", "200"), Status::kOk);
  EXPECT_TRUE(access.refused());
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(shown_count(rules_.get(), Direction::kResponse, response.headers, nullptr, &response),
            1u);
  EXPECT_EQ(request().get("authorization"), "Bearer s");
}

}  // namespace
}  // namespace weir::wasm
