// The rules, and what they make of one field's value.
#include "wasm/privacy/privacy.h"

#include <gtest/gtest.h>

#include "unit/wasm/privacy_maker.h"
#include "wasm/plugin.h"
#include "wasm/privacy/private_field.h"

namespace weir::wasm {
namespace {

TEST(Privacy, WithoutARuleThereIsNone) {
  std::vector<std::string> errors;
  FakeView view(Object{}, errors);
  EXPECT_EQ(Privacy::read(view), nullptr);
  EXPECT_EQ(privacy({}), nullptr);
  EXPECT_EQ(privacy({{"request_headers", Object{}}, {"client_address", "SHOW"}}), nullptr);
  EXPECT_EQ(errors, std::vector<std::string>());
}

TEST(Privacy, MistakesAreReported) {
  const auto errors_of = [](Object message) {
    std::vector<std::string> errors;
    read_privacy(std::move(message), errors);
    return errors;
  };
  using Errors = std::vector<std::string>;
  EXPECT_EQ(errors_of({{"headers", Object{}}}), Errors{"headers: unknown field"});
  EXPECT_EQ(errors_of({{"cookies", Object{{"hidden", List{}}}}}), Errors{"hidden: unknown field"});
  EXPECT_EQ(errors_of({{"client_address", "KEEP"}}), Errors{"client_address: unknown value"});
  EXPECT_EQ(errors_of({{"cookies", hide({"*"})}}), Errors{"prefix: must not be empty"});
  EXPECT_EQ(errors_of({{"cookies", Object{{"hide", List{Object{}}}}}}).size(), 1u);
}

TEST(Privacy, TheStrictestRuleOfANameHolds) {
  Object all = hide({"a", "both"});
  all.merge(mask({"m", "both", "unlisted"}));
  all.merge(only({"a", "m", "both", "s*"}));
  const auto rules = privacy({{"cookies", all}});
  EXPECT_EQ(rules->cookie("a"), Sight::kHidden) << "listed and hidden";
  EXPECT_EQ(rules->cookie("m"), Sight::kMasked);
  EXPECT_EQ(rules->cookie("both"), Sight::kHidden);
  EXPECT_EQ(rules->cookie("unlisted"), Sight::kHidden);
  EXPECT_EQ(rules->cookie("shown"), Sight::kShown);
  EXPECT_EQ(rules->cookie("other"), Sight::kHidden);
  EXPECT_EQ(privacy({{"cookies", only({})}})->cookie("x"), Sight::kHidden) << "an empty list";
}

TEST(Privacy, NamesOfHeadersHaveNoCase) {
  const auto rules =
      privacy({{"request_headers",
                Object{{"hide", List{Object{{"exact", "Authorization"}},
                                     Object{{"safe_regex", Object{{"regex", "X-Key-[A-F]+"}}}}}}}},
               {"cookies", hide({"Sid"})}});
  EXPECT_EQ(rules->field(Direction::kRequest, "authorization"), Sight::kHidden);
  EXPECT_EQ(rules->field(Direction::kRequest, "x-key-abc"), Sight::kHidden);
  EXPECT_EQ(rules->field(Direction::kRequest, "x-key-xyz"), Sight::kShown);
  EXPECT_EQ(rules->field(Direction::kResponse, "authorization"), Sight::kShown);
  EXPECT_EQ(rules->cookie("sid"), Sight::kShown) << "those of cookies have";
}

TEST(Privacy, HostAndAuthorityAreOneName) {
  for (const char* name : {"host", ":authority"}) {
    const auto hidden = privacy({{"request_headers", hide({name})}});
    const auto listed = privacy({{"request_headers", only({name})}});
    for (const char* asked : {"host", ":authority"}) {
      EXPECT_EQ(hidden->field(Direction::kRequest, asked), Sight::kHidden) << name << asked;
      EXPECT_EQ(listed->field(Direction::kRequest, asked), Sight::kShown) << name << asked;
    }
  }
}

TEST(Privacy, IsAPartOfTheKeys) {
  const auto key_of = [](std::shared_ptr<const Privacy> rules) {
    Plugin plugin;
    plugin.vm.privacy = std::move(rules);
    plugin.seal();
    return std::pair(plugin.vm_key, plugin.key);
  };
  const auto none = key_of(nullptr);
  const auto one = key_of(privacy({{"cookies", hide({"a"})}}));
  EXPECT_EQ(one, key_of(privacy({{"cookies", hide({"a"})}})));
  for (const Object& other :
       {Object{{"cookies", hide({"b"})}}, Object{{"cookies", mask({"a"})}},
        Object{{"cookies", hide({"a*"})}}, Object{{"query_parameters", hide({"a"})}},
        Object{{"cookies", only({"a"})}}, Object{{"cookies", hide({"a", "b"})}},
        Object{{"cookies", hide({"a"})}, {"client_address", "MASK"}}}) {
    const auto key = key_of(privacy(other));
    EXPECT_NE(key.first, one.first) << privacy(other)->json();
    EXPECT_NE(key.first, none.first);
    EXPECT_NE(key.second, one.second);
  }
}

TEST(Privacy, IsShownAsJson) {
  Object cookies = hide({"sid"});
  cookies.merge(only({"s*"}));
  EXPECT_EQ(
      privacy({{"cookies", cookies}, {"client_address", "MASK"}})->json(),
      R"({"cookies":{"hide":["exact:sid"],"allow_only":["prefix:s"]},"client_address":"MASK"})");
}

// ---- values -----------------------------------------------------------------------------------------

class PrivateField : public ::testing::Test {
 protected:
  /// What a guest sees; "(hidden)" if it sees nothing.
  std::string seen(const char* name, const char* value, Direction side = Direction::kRequest) {
    std::string made;
    const auto text = seen_value(*rules, {side, name}, value, made);
    return text ? std::string(*text) : "(hidden)";
  }
  std::string written(const char* name, std::vector<std::string_view> originals,
                      std::vector<std::string_view> given, bool refused = false) {
    const WrittenValues out = written_values(*rules, {Direction::kRequest, name}, originals, given);
    EXPECT_EQ(out.refused, refused) << name;
    std::string text;
    for (const std::string& value : out.values) text += (text.empty() ? "" : " | ") + value;
    return text;
  }
  std::shared_ptr<const Privacy> rules;
};

TEST_F(PrivateField, Cookies) {
  Object all = hide({"sid", "h*"});
  all.merge(mask({"m"}));
  rules = privacy({{"cookies", all}});
  EXPECT_EQ(seen("cookie", "a=1;  b=2"), "a=1;  b=2") << "as it is";
  EXPECT_EQ(seen("cookie", "a=1; sid=s; m=secret; hx=1; m=2"), "a=1; m=***; m=***");
  EXPECT_EQ(seen("cookie", "sid=s;\thx=1"), "(hidden)");
  EXPECT_EQ(seen("cookie", "a=1; sid = s; m= t"), "a=1; m=***");
  EXPECT_EQ(seen("cookie", "sid"), "(hidden)");
  EXPECT_EQ(seen("cookie", "m; ;="), "m; ;=");
  EXPECT_EQ(seen("x-cookie", "sid=s"), "sid=s");

  EXPECT_EQ(written("cookie", {"a=1; sid=s; m=secret"}, {"a=2; m=***"}), "a=2; m=secret; sid=s");
  EXPECT_EQ(written("cookie", {"sid=s; a=1; m=secret"}, {"a=1; m=***"}), "sid=s; a=1; m=secret")
      << "what was read, as it was";
  EXPECT_EQ(written("cookie", {"sid=s; m=1; m=2"}, {"m=***; m=x; b=3; m=***; m=***"}),
            "m=1; m=x; b=3; m=2; m=***; sid=s");
  EXPECT_EQ(written("cookie", {"a=1; sid=s"}, {"sid=forged; b=2"}, true), "b=2; sid=s");
  EXPECT_EQ(written("cookie", {"a=1; sid=s"}, {"sid=forged"}, true), "sid=s");
  EXPECT_EQ(written("cookie", {"a=1; sid=s", "hx=2"}, {}), "sid=s; hx=2") << "removed";
  EXPECT_EQ(written("cookie", {"a=1"}, {}), "");
  EXPECT_EQ(written("cookie", {}, {"m=***"}), "m=***") << "a mask for nothing is a text";
}

TEST_F(PrivateField, SetCookies) {
  Object all = hide({"sid"});
  all.merge(mask({"m"}));
  rules = privacy({{"cookies", all}});
  EXPECT_EQ(seen("set-cookie", "sid=s; Path=/"), "(hidden)");
  EXPECT_EQ(seen("set-cookie", " sid =s"), "(hidden)");
  EXPECT_EQ(seen("set-cookie", "m=secret; Path=/; Secure"), "m=***; Path=/; Secure");
  EXPECT_EQ(seen("set-cookie", "a=1; sid=2"), "a=1; sid=2") << "an attribute is no name";
  EXPECT_EQ(written("set-cookie", {"sid=s; Path=/", "m=1", "m=2"},
                    {"m=***; Secure", "b=1", "m=***", "sid=forged"}, true),
            "sid=s; Path=/ | m=1; Secure | b=1 | m=2");
  EXPECT_EQ(written("set-cookie", {"sid=s", "a=1"}, {}), "sid=s");
}

TEST_F(PrivateField, QueryParameters) {
  Object all = hide({"token"});
  all.merge(mask({"key"}));
  rules = privacy({{"query_parameters", all}});
  EXPECT_EQ(seen(":path", "/p"), "/p");
  EXPECT_EQ(seen(":path", "/p?a=1&&b"), "/p?a=1&&b");
  EXPECT_EQ(seen(":path", "/p?token=t"), "/p");
  EXPECT_EQ(seen(":path", "/p?a=1&token=t&key=k&b"), "/p?a=1&key=***&b");
  EXPECT_EQ(seen(":path", "/p?%74ok%65n=t&k%65y=1"), "/p?k%65y=***") << "escapes hide no name";
  EXPECT_EQ(seen("referer", "https://a/p?token=t#x"), "https://a/p#x");
  EXPECT_EQ(seen("location", "/cb#token=t&a=1"), "/cb#a=1") << "in a fragment too";
  EXPECT_EQ(seen("x-envoy-original-path", "/o?token=t&x"), "/o?x");

  const std::string_view original = "/p?a=1&token=t&key=k";
  EXPECT_EQ(written(":path", {original}, {"/p?a=1&key=***"}), original) << "byte for byte";
  EXPECT_EQ(written(":path", {original}, {"/q"}), "/q?token=t");
  EXPECT_EQ(written(":path", {original}, {"/q?key=***&b"}), "/q?key=k&b&token=t");
  EXPECT_EQ(written(":path", {original}, {"/q?key=mine"}), "/q?key=mine&token=t");
  EXPECT_EQ(written(":path", {original}, {"/q?%74oken=forged"}, true), "/q?token=t");
  EXPECT_EQ(written(":path", {original}, {"/a//b"}), "/a//b?token=t");
  EXPECT_EQ(written(":path", {original}, {"//b/c"}), "//b/c?token=t") << "a path has no authority";
  EXPECT_EQ(written(":path", {original}, {"*"}, true), original) << "it would be lost";
  EXPECT_EQ(written(":path", {"/p?a=1"}, {"*"}), "*");
  EXPECT_EQ(written("referer", {}, {"/r?token=forged&a"}, true), "/r?a");
  EXPECT_EQ(written("referer", {"/r?token=t"}, {}), "") << "a field as a whole may go";
  const std::string_view away = "https://app.example/cb?token=t&key=k";
  EXPECT_EQ(written("location", {away}, {"https://app.example/x"}),
            "https://app.example/x?token=t");
  EXPECT_EQ(written("location", {away}, {"https://evil.example/x?key=***"}, true),
            "https://evil.example/x?key=***")
      << "secrets go to nobody else";
  EXPECT_EQ(written("location", {away}, {"//evil.example"}, true), "//evil.example");
  EXPECT_EQ(written("location", {"/a?token=t"}, {"/b//c"}), "/b//c?token=t");
}

TEST_F(PrivateField, MaskedFields) {
  rules = privacy({{"request_headers", mask({"x"})}});
  EXPECT_EQ(seen("x", "secret"), "***");
  EXPECT_EQ(seen("x", ""), "***");
  EXPECT_EQ(seen("x", "secret", Direction::kResponse), "secret");
  EXPECT_EQ(written("x", {"1", "2"}, {"***", "***"}), "1 | 2");
  EXPECT_EQ(written("x", {"1", "2"}, {"new", "***"}), "new | 2");
  EXPECT_EQ(written("x", {"1"}, {"new", "***"}), "new | 1");
  EXPECT_EQ(written("x", {"1"}, {"***", "***"}), "1 | ***");
  EXPECT_EQ(written("x", {"1"}, {}), "");
}

TEST_F(PrivateField, HiddenFields) {
  rules = privacy({{"request_headers", hide({"x"})}});
  EXPECT_EQ(seen("x", "secret"), "(hidden)");
  EXPECT_EQ(written("x", {"1", "2"}, {"3"}, true), "1 | 2");
  EXPECT_EQ(written("x", {"1"}, {}), "1");
  EXPECT_EQ(written("x", {}, {"3"}, true), "");
}

TEST_F(PrivateField, AddressesKeepTheirNetwork) {
  const std::pair<const char*, const char*> cases[] = {
      {"192.0.2.43", "192.0.2.0"},
      {"192.0.2.43:8084", "192.0.2.0:0"},
      {"2001:db8:1:2::3", "2001:db8:1::"},
      {"[2001:db8:1:2::3]", "[2001:db8:1::]"},
      {"[2001:db8:1:2::3]:443", "[2001:db8:1::]:0"},
      {"::ffff:192.0.2.43", "::"},
      {"unknown", "unknown"},
      {"_hidden", "***"},
      {"name.example:80", "***"},
      {"fe80::1%eth0", "***"},
      {"/run/socket", "***"},
      {"[::1", "***"},
      {"", "***"},
      {"192.0.2.43.7:80", "***"},
  };
  for (const auto& [address, masked] : cases) EXPECT_EQ(masked_address(address), masked) << address;
  EXPECT_EQ(masked_addresses("192.0.2.43,10.1.2.3 , x"), "192.0.2.0, 10.1.2.0, ***");
  EXPECT_EQ(masked_forwarded("for=192.0.2.43;proto=http; by=203.0.113.4, "
                             "For=\"[2001:db8:1:2::3]:80\";host=a"),
            "for=192.0.2.0;proto=http; by=203.0.113.4, for=\"[2001:db8:1::]:0\";host=a");
  EXPECT_EQ(masked_forwarded("for=\"192.0.2.43:80\""), "for=\"192.0.2.0:0\"");
  EXPECT_EQ(masked_forwarded("for=_x"), "for=***");
  EXPECT_EQ(masked_forwarded("192.0.2.43"), "for=***") << "what has no name";
  EXPECT_EQ(masked_forwarded("for=\"192.0.2.43"), "***");
  EXPECT_EQ(masked_forwarded("host=\"a,for=192.0.2.43\""), "host=\"a,for=192.0.2.43\"");
}

TEST_F(PrivateField, ForwardingHeaders) {
  rules = privacy({{"client_address", "MASK"}});
  EXPECT_EQ(seen("x-forwarded-for", "192.0.2.43, 10.1.2.3"), "192.0.2.0, 10.1.2.0");
  EXPECT_EQ(seen("true-client-ip", "192.0.2.43"), "192.0.2.0");
  EXPECT_EQ(seen("forwarded", "for=192.0.2.43"), "for=192.0.2.0");
  EXPECT_EQ(seen("x-other", "192.0.2.43"), "192.0.2.43");
  EXPECT_EQ(written("x-forwarded-for", {"192.0.2.43"}, {"192.0.2.0"}), "192.0.2.43");
  EXPECT_EQ(written("x-forwarded-for", {"192.0.2.43"}, {"192.0.2.0, 10.0.0.1"}),
            "192.0.2.43, 10.0.0.1");
  EXPECT_EQ(written("x-forwarded-for", {"192.0.2.43"}, {"10.0.0.1"}), "10.0.0.1");
  EXPECT_EQ(written("x-forwarded-for", {}, {"10.0.0.1"}), "10.0.0.1");
  rules = privacy({{"client_address", "HIDE"}});
  for (const char* name : {"x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip",
                           "x-envoy-external-address", "x-vercel-forwarded-for"})
    EXPECT_EQ(seen(name, "192.0.2.43"), "(hidden)") << name;
  EXPECT_EQ(written("x-real-ip", {"192.0.2.43"}, {"1.2.3.4"}, true), "192.0.2.43");
}

}  // namespace
}  // namespace weir::wasm
