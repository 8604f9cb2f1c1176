#include "http/rules.h"

#include <gtest/gtest.h>

#include "http/chars.h"

namespace weir::http {
namespace {

TEST(Rules, HeaderNamesAreTokens) {
  EXPECT_TRUE(valid_header_name("x-a_b.c!#$%&'*+^`|~9"));
  for (const std::string_view bad :
       {"", "a b", "a:", "a\t", "a(", "a\"", "a\x80", "a/", "a@", "a,"})
    EXPECT_FALSE(valid_header_name(bad)) << bad;
}

TEST(Rules, HeaderValuesHaveNoControls) {
  EXPECT_TRUE(valid_header_value(""));
  EXPECT_TRUE(valid_header_value("a\tb \xff~"));
  for (const std::string_view bad :
       {std::string_view("a\r"), std::string_view("a\n"), std::string_view("a\0b", 3),
        std::string_view("\x01"), std::string_view("\x7f"), std::string_view("\x1b[")})
    EXPECT_FALSE(valid_header_value(bad));
}

TEST(Rules, VectorAndTableAgreeForEveryByteAtEveryPlace) {
  for (unsigned c = 0; c < 256; ++c) {
    for (size_t at = 0; at < 40; ++at) {
      std::string text(40, 'x');
      text[at] = static_cast<char>(c);
      std::string padded = text + '\r' + std::string(chars::kScanPadding, '\0');
      const bool value = chars::is(text[at], chars::kValue);
      EXPECT_EQ(chars::find_value_end(padded.data()) - padded.data(),
                static_cast<ptrdiff_t>(value ? 40 : at))
          << c;
      const bool target = chars::is(text[at], chars::kTarget);
      EXPECT_EQ(chars::target_prefix(text), target ? 40 : at) << c;
    }
  }
}

TEST(Rules, Authorities) {
  for (const std::string_view good : {"a", "a.b:80", "A_b-c.example.", "1.2.3.4", "[::1]",
                                      "[::1]:8080", "[1::2.3.4.5]:1", "x:65535"})
    EXPECT_TRUE(valid_authority(good)) << good;
  for (const std::string_view bad :
       {"",        "a@b",        "a/b",  "/",       "a b",  "a,b", "a:",     "a:x",    "a:0",
        "a:65536", "a:123456",   ":80",  "a:80:80", "[::1", "::1", "[::1]x", "[::1]:", "[::g]",
        "[]",      "[::1%eth0]", "a%41", "a\\b",    "a?b",  "a#b", "<a>",    "a\"",    "\x80"})
    EXPECT_FALSE(valid_authority(bad)) << bad;
}

TEST(Rules, ReasonPhrases) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

std::string stripped(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  HeaderMap headers;
  for (const auto& [name, value] : fields) headers.add(name, value);
  const Result<void> result = strip_hop_by_hop(headers);
  if (!result) return "error";
  std::string text;
  for (const HeaderMap::Entry& entry : headers)
    text.append(entry.name).append("=").append(entry.value).append(";");
  return text;
}

TEST(Rules, StripsHopByHopFields) {
  EXPECT_EQ(stripped({{"a", "1"}, {"b", "2"}}), "a=1;b=2;");
  EXPECT_EQ(stripped({{"connection", "close"},
                      {"keep-alive", "x"},
                      {"proxy-connection", "y"},
                      {"transfer-encoding", "chunked"},
                      {"upgrade", "z"},
                      {"http2-settings", "q"},
                      {"a", "1"}}),
            "a=1;");
  EXPECT_EQ(
      stripped(
          {{"connection", "X-Mine , keep-alive,,"}, {"x-mine", "1"}, {"x-mine", "2"}, {"a", "1"}}),
      "a=1;");
  EXPECT_EQ(
      stripped({{"connection", "a"}, {"connection", "b"}, {"a", "1"}, {"b", "2"}, {"c", "3"}}),
      "c=3;");
}

TEST(Rules, KeepsTrailersOfTe) {
  EXPECT_EQ(stripped({{"te", "gzip"}, {"a", "1"}}), "a=1;");
  EXPECT_EQ(stripped({{"connection", "te"}, {"te", "Trailers"}, {"a", "1"}}), "a=1;te=trailers;");
  EXPECT_EQ(stripped({{"te", "gzip, trailers;q=1"}, {"te", "trailers"}}), "te=trailers;");
}

TEST(Rules, RefusesToNominateProtectedFields) {
  for (const std::string_view bad :
       {"host", "Content-Length", "x-forwarded-for", "X-Forwarded-Proto", ":path", "a b",
        "close, :authority", "\"a\""})
    EXPECT_EQ(stripped({{"connection", bad}, {"content-length", "1"}}), "error") << bad;
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a" + std::to_string(i) + ",";
  EXPECT_EQ(stripped({{"connection", many}}), "error");
}

TEST(Rules, NormalizesHosts) {
  EXPECT_EQ(normalize_host("ExAmple.COM:80", {}), "example.com:80");
  HostOptions any;
  any.strip_any_port = true;
  EXPECT_EQ(normalize_host("A:81", any), "a");
  EXPECT_EQ(normalize_host("[::A]:81", any), "[::a]");
  EXPECT_EQ(normalize_host("[::A]", any), "[::a]");
  HostOptions matching;
  matching.strip_matching_port = true;
  matching.listener_port = 80;
  EXPECT_EQ(normalize_host("a:80", matching), "a");
  EXPECT_EQ(normalize_host("a:8080", matching), "a:8080");
  HostOptions dot;
  dot.strip_trailing_dot = true;
  EXPECT_EQ(normalize_host("a.b.:80", dot), "a.b:80");
  EXPECT_EQ(normalize_host("a.", dot), "a");
}

// ---- paths -------------------------------------------------------------------------------------------------

std::string normalized(std::string_view path, const PathOptions& options = {}) {
  std::string out = "(untouched)";
  const Result<PathOutcome> result = normalize_path(path, options, out);
  if (!result) return "error";
  if (*result == PathOutcome::kUnchanged) return std::string(path);
  return *result == PathOutcome::kRedirect ? "redirect " + out : out;
}

struct PathRow {
  std::string_view in;
  std::string_view out;
};

TEST(Paths, DefaultOptions) {
  constexpr PathRow kRows[] = {{"/", "/"},
                               {"/a/b?x=/../y", "/a/b?x=/../y"},
                               {"*", "*"},
                               {"/a/./b", "/a/b"},
                               {"/a/../b", "/b"},
                               {"/a/b/..", "/a/"},
                               {"/a/.", "/a/"},
                               {"/.", "/"},
                               {"/a/b/../../c", "/c"},
                               {"/%2e%2E/a", "error"},
                               {"/a/%2e%2e/admin", "/admin"},
                               {"/a/.%2e/b", "/b"},
                               {"/..", "error"},
                               {"/../a", "error"},
                               {"/a/../../b", "error"},
                               {"/...", "/..."},
                               {"/.hidden", "/.hidden"},
                               {"/a..b/..c", "/a..b/..c"},
                               {"\\a", "error"},
                               {"/a\\b", "/a/b"},
                               {"/a\\..\\b", "/b"},
                               {"/%41%7e%2D", "/A~-"},
                               {"/%2f%5c%20", "/%2f%5c%20"},
                               {"/%25%32%65", "/%252e"},
                               {"/%00", "error"},
                               {"/a%0", "error"},
                               {"/a%", "error"},
                               {"/%zz", "error"},
                               {"/%2", "error"},
                               {"/a?%zz", "/a?%zz"},
                               {"/a#f", "error"},
                               {"/a?b#f", "error"},
                               {"", "error"},
                               {"a", "error"},
                               {"//a//b", "//a//b"},
                               {"/a//../b", "/a/b"},
                               {"/a/..?q", "/?q"},
                               {"/a/;/..;x/b", "/a/;/..;x/b"}};
  for (const PathRow& row : kRows) EXPECT_EQ(normalized(row.in), row.out) << row.in;
}

TEST(Paths, WithoutNormalisationOnlyErrorsAreFound) {
  PathOptions options;
  options.normalize = false;
  EXPECT_EQ(normalized("/a/../%41\\b", options), "/a/../%41\\b");
  EXPECT_EQ(normalized("/%00", options), "error");
  EXPECT_EQ(normalized("/%zz", options), "error");
}

TEST(Paths, MergesSlashes) {
  PathOptions options;
  options.merge_slashes = true;
  EXPECT_EQ(normalized("//a///b//?x=//", options), "/a/b/?x=//");
  EXPECT_EQ(normalized("/a/%2e//b", options), "/a/b");
  options.normalize = false;
  EXPECT_EQ(normalized("//a/..//b", options), "/a/../b");
}

TEST(Paths, EscapedSlashes) {
  PathOptions options;
  options.escaped_slashes = EscapedSlashes::kRejectRequest;
  EXPECT_EQ(normalized("/a%2Fb", options), "error");
  EXPECT_EQ(normalized("/a%5cb", options), "error");
  EXPECT_EQ(normalized("/a?%2f", options), "/a?%2f");
  options.escaped_slashes = EscapedSlashes::kUnescapeAndForward;
  EXPECT_EQ(normalized("/a%2fb%5Cc", options), "/a/b/c");
  EXPECT_EQ(normalized("/a%2f..%2fb", options), "/b");
  EXPECT_EQ(normalized("/%2f..%5c..", options), "error");
  options.escaped_slashes = EscapedSlashes::kUnescapeAndRedirect;
  EXPECT_EQ(normalized("/a%2fb?q", options), "redirect /a/b?q");
  EXPECT_EQ(normalized("/a", options), "/a");
  options.normalize = false;
  EXPECT_EQ(normalized("/a%5cb", options), "redirect /a\\b");
}

TEST(Paths, IsIdempotentAndStaysBelowTheRoot) {
  constexpr std::string_view kPieces[] = {"/",  ".",   "..", "%2e", "a",  "%2f",
                                          "\\", "%25", "2e", ";",   "%5C"};
  for (int seed = 0; seed < 20000; ++seed) {
    std::string path = "/";
    for (unsigned n = static_cast<unsigned>(seed), i = 0; i < 4; ++i, n /= 11)
      path += kPieces[n % 11];
    for (const EscapedSlashes slashes :
         {EscapedSlashes::kKeepUnchanged, EscapedSlashes::kUnescapeAndForward}) {
      PathOptions options;
      options.escaped_slashes = slashes;
      const std::string once = normalized(path, options);
      if (once == "error") continue;
      EXPECT_EQ(normalized(once, options), once) << path;
      EXPECT_EQ(once.front(), '/');
      EXPECT_EQ((once + "/").find("/../"), std::string::npos) << path;
    }
  }
}

}  // namespace
}  // namespace weir::http
