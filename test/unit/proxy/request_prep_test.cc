#include "proxy/request_prep.h"

#include "unit/proxy/session_fixture.h"

namespace weir::proxy::test {
namespace {

class RequestPrepTest : public SessionTest {
 protected:
  /// Prepares `head` by `options`, as a request of 10.1.2.3.
  std::optional<Refusal> prepare() {
    auto listener = std::make_shared<ListenerOptions>();
    auto chain = std::make_shared<FilterChainOptions>();
    chain->hcm = std::make_shared<HcmOptions>(std::move(options));
    auto runtime = ChainRuntime::make(listener, chain, local, 1, store, logs);
    return prepare_request(head, info, **runtime, {"10.1.2.3", "10.1.2.3:5555"}, scratch);
  }
  RequestPrepTest() {
    head.set_method("GET");
    head.set_path("/");
    head.set_authority("example.com");
  }
  std::string value(std::string_view name) { return head.headers.joined(name); }
  RequestHead head;
  StreamInfo info;
  PrepScratch scratch;
};

TEST_F(RequestPrepTest, EdgeAppendsThePeerAndDistrustsTheRest) {
  options.use_remote_address = true;
  head.headers.add("x-forwarded-for", "1.1.1.1");
  head.headers.add("x-forwarded-proto", "https");
  head.headers.add("x-request-id", "mine");
  head.headers.add("x-envoy-internal", "true");
  head.headers.add("x-envoy-retry-on", "5xx");
  head.headers.add("x-envoy-original-path", "/old");
  head.headers.add("x-weir-secret", "1");
  head.headers.add("x-forwarded-client-cert", "By=evil");
  head.headers.add("x-keep", "1");
  EXPECT_FALSE(prepare());
  EXPECT_EQ(value("x-forwarded-for"), "1.1.1.1,10.1.2.3");
  EXPECT_EQ(value("x-forwarded-proto"), "http");
  EXPECT_EQ(head.scheme(), "http");
  EXPECT_EQ(value("x-envoy-external-address"), "10.1.2.3");
  EXPECT_EQ(info.downstream_remote_address, "10.1.2.3:5555");
  const std::string id = value("x-request-id");
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  for (const char* gone : {"x-envoy-internal", "x-envoy-retry-on", "x-envoy-original-path",
                           "x-weir-secret", "x-forwarded-client-cert"})
    EXPECT_FALSE(head.headers.get(gone)) << gone;
  EXPECT_EQ(value("x-keep"), "1");
}

TEST_F(RequestPrepTest, InsideKeepsWhatAProxyBeforeSaid) {
  head.headers.add("x-forwarded-for", "1.1.1.1, 2.2.2.2");
  head.headers.add("x-forwarded-proto", "https");
  head.headers.add("x-request-id", "mine");
  head.headers.add("x-envoy-external-address", "1.1.1.1");
  head.headers.add("x-envoy-max-retries", "5");
  EXPECT_FALSE(prepare());
  EXPECT_EQ(value("x-forwarded-for"), "1.1.1.1, 2.2.2.2");
  EXPECT_EQ(head.scheme(), "https");
  EXPECT_EQ(value("x-request-id"), "mine");
  EXPECT_EQ(value("x-envoy-external-address"), "1.1.1.1");
  EXPECT_FALSE(head.headers.get("x-envoy-max-retries"));
  EXPECT_EQ(info.downstream_remote_address, "2.2.2.2:0");
}

TEST_F(RequestPrepTest, TrustedHopsCountFromTheRight) {
  options.use_remote_address = true;
  options.xff_num_trusted_hops = 1;
  head.headers.add("x-forwarded-for", "6.6.6.6, 1.1.1.1");
  head.headers.add("x-forwarded-proto", "https");
  EXPECT_FALSE(prepare());
  EXPECT_EQ(info.downstream_remote_address, "1.1.1.1:0");
  EXPECT_EQ(value("x-envoy-external-address"), "1.1.1.1");
  EXPECT_EQ(value("x-forwarded-for"), "6.6.6.6, 1.1.1.1,10.1.2.3");
  EXPECT_EQ(head.scheme(), "https");
}

TEST_F(RequestPrepTest, TrustedAddressMayBeIpv6) {
  options.xff_num_trusted_hops = 1;
  head.headers.add("x-forwarded-for", "::1, garbage");
  EXPECT_FALSE(prepare());
  EXPECT_EQ(info.downstream_remote_address, "[::1]:0");
}

TEST_F(RequestPrepTest, SkipsAppending) {
  options.use_remote_address = true;
  options.skip_xff_append = true;
  EXPECT_FALSE(prepare());
  EXPECT_FALSE(head.headers.get("x-forwarded-for"));
}

TEST_F(RequestPrepTest, RequestIds) {
  options.use_remote_address = true;
  options.preserve_external_request_id = true;
  head.headers.add("x-request-id", "mine");
  EXPECT_FALSE(prepare());
  EXPECT_EQ(value("x-request-id"), "mine");
  head.headers.remove("x-request-id");
  options = HcmOptions();
  options.generate_request_id = false;
  EXPECT_FALSE(prepare());
  EXPECT_FALSE(head.headers.get("x-request-id"));
}

TEST_F(RequestPrepTest, HopByHopFieldsGoBeforeWeirAddsItsOwn) {
  options.use_remote_address = true;
  options.via = "weir";
  head.headers.add("connection", "x-hop, keep-alive, x-request-id");
  head.headers.add("x-hop", "1");
  head.headers.add("keep-alive", "timeout=5");
  head.headers.add("te", "gzip, trailers");
  head.headers.add("via", "1.1 other");
  head.headers.add("expect", "100-continue");
  EXPECT_FALSE(prepare());
  for (const char* gone : {"connection", "x-hop", "keep-alive", "expect"})
    EXPECT_FALSE(head.headers.get(gone)) << gone;
  EXPECT_EQ(value("te"), "trailers");
  EXPECT_EQ(value("via"), "1.1 other, weir");
  EXPECT_EQ(value("x-request-id").size(), 36u);
}

TEST_F(RequestPrepTest, ConnectionMayNotNameWhatProxiesVouchFor) {
  head.headers.add("connection", "x-forwarded-for");
  const auto refusal = prepare();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reply.status, 400);
  EXPECT_TRUE(refusal->close);
}

TEST_F(RequestPrepTest, PathIsNormalisedOnce) {
  head.set_path("/a/./b/../c%2e?q=/../");
  EXPECT_FALSE(prepare());
  EXPECT_EQ(head.path(), "/a/c.?q=/../");
}

TEST_F(RequestPrepTest, EscapedSlashesMayRedirect) {
  options.path.escaped_slashes = http::EscapedSlashes::kUnescapeAndRedirect;
  head.set_path("/a%2Fb?q=1");
  const auto refusal = prepare();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reply.status, 307);
  EXPECT_EQ(refusal->reply.headers.at(0),
            (std::pair<std::string, std::string>("location", "/a/b?q=1")));
}

TEST_F(RequestPrepTest, ARedirectOfAPathNamesNoOtherHost) {
  for (const char* path : {"//evil.example%2Fb", "/%2Fevil.example/b", "/%5Cevil.example/b"}) {
    options.path.escaped_slashes = http::EscapedSlashes::kUnescapeAndRedirect;
    head.set_path(path);
    const auto refusal = prepare();
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->reply.headers.at(0).second, "/.//evil.example/b") << path;
    options = HcmOptions();
  }
}

TEST_F(RequestPrepTest, HostIsNormalised) {
  options.host.strip_matching_port = true;
  head.set_authority("EXAMPLE.com:8080");
  EXPECT_FALSE(prepare());
  EXPECT_EQ(head.authority(), "example.com");
}

TEST_F(RequestPrepTest, OddReferersGo) {
  for (const auto& [referer, kept] : std::initializer_list<std::pair<const char*, bool>>{
           {"http://a.b/c", true}, {"/relative", false}, {"http://", false}, {"ftp://x", false}}) {
    head.headers.remove("referer");
    options = HcmOptions();
    head.headers.add("referer", referer);
    EXPECT_FALSE(prepare());
    EXPECT_EQ(head.headers.has(HeaderId::kReferer), kept) << referer;
  }
}

TEST_F(RequestPrepTest, ResponseHeaders) {
  ResponseHead response;
  response.headers.add("connection", "keep-alive, x-hop");
  response.headers.add("x-hop", "1");
  response.headers.add("server", "origin");
  response.headers.add("date", "yesterday");
  head.headers.add("x-request-id", "id");
  std::string text;
  options.via = "weir";
  options.always_set_request_id_in_response = true;
  prepare_response(response, head, options, SystemTime(), text);
  EXPECT_FALSE(response.headers.has(HeaderId::kConnection));
  EXPECT_FALSE(response.headers.get("x-hop"));
  EXPECT_EQ(response.headers.get("server"), "weir");
  EXPECT_EQ(response.headers.get("date"), "yesterday");
  EXPECT_EQ(response.headers.get("via"), "weir");
  EXPECT_EQ(response.headers.get("x-request-id"), "id");
  for (const auto& [action, expected] : std::initializer_list<std::pair<ServerHeader, const char*>>{
           {ServerHeader::kAppendIfAbsent, "origin"}, {ServerHeader::kPassThrough, "origin"}}) {
    response.headers.set("server", "origin");
    options.server_header = action;
    prepare_response(response, head, options, SystemTime(), text);
    EXPECT_EQ(response.headers.get("server"), expected);
  }
}

}  // namespace
}  // namespace weir::proxy::test
