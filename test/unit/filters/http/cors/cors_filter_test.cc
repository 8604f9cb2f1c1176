#include "filters/http/cors/cors_filter.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

Value origin(const char* text) { return Object{{"exact", text}}; }

Object percent(int n) { return {{"default_value", Object{{"numerator", n}}}}; }

class CorsTest : public FilterTest {
 protected:
  std::shared_ptr<const void> policy(Object fields) {
    FakeView view(std::move(fields), errors);
    return factory->make_route_config(view);
  }
  Flow request(FakeStream& stream, const char* from, const char* method = "GET",
               const char* asks = nullptr) {
    stream.request.set_method(method);
    if (from != nullptr) stream.request.headers.set("origin", from);
    if (asks != nullptr) stream.request.headers.set("access-control-request-method", asks);
    filter = attach(*factory, stream);
    return filter->on_request_head(stream.request, EndStream::kYes);
  }
  std::string response(FakeStream& stream) {
    filter->on_response_head(stream.response, EndStream::kYes);
    return text(stream.response.headers);
  }
  static std::string reply_headers(const LocalReply& reply) {
    std::string out;
    for (const auto& [name, value] : reply.headers) out += name + "=" + value + ";";
    return out;
  }
  uint64_t valid() { return store.counter_value("http.ingress.cors.origin_valid"); }
  uint64_t invalid() { return store.counter_value("http.ingress.cors.origin_invalid"); }

  std::shared_ptr<const HttpFilterFactory> factory = make(&make_cors, {});
  std::unique_ptr<HttpFilter> filter;
};

TEST_F(CorsTest, MarksResponsesOfAllowedOrigins) {
  const auto own =
      policy({{"allow_origin_string_match", List{origin("http://a"), origin("http://b")}},
              {"expose_headers", "x-a"},
              {"allow_methods", "PUT"},
              {"allow_credentials", true}});
  ASSERT_TRUE(errors.empty());
  FakeStream stream;
  stream.routes = {own.get()};
  EXPECT_EQ(request(stream, "http://b"), Flow::kContinue);
  EXPECT_EQ(response(stream),
            "access-control-allow-origin=http://b;access-control-allow-credentials=true;"
            "access-control-expose-headers=x-a;");
  FakeStream other;
  other.routes = {own.get()};
  EXPECT_EQ(request(other, "http://c"), Flow::kContinue);
  EXPECT_EQ(response(other), "");
  EXPECT_EQ(valid(), 1u);
  EXPECT_EQ(invalid(), 1u);
  FakeStream none;
  none.routes = {own.get()};
  EXPECT_EQ(request(none, nullptr), Flow::kContinue);
  FakeStream without;
  EXPECT_EQ(request(without, "http://a"), Flow::kContinue);
  EXPECT_EQ(response(without), "");
  EXPECT_EQ(valid() + invalid(), 2u);
}

TEST_F(CorsTest, AnswersPreflights) {
  const auto own = policy({{"allow_origin_string_match", List{origin("*")}},
                           {"allow_methods", "GET,PUT"},
                           {"allow_headers", "x-a"},
                           {"expose_headers", "x-b"},
                           {"max_age", "60"},
                           {"allow_private_network_access", true}});
  FakeStream stream;
  stream.routes = {own.get()};
  stream.request.headers.set("access-control-request-private-network", "true");
  EXPECT_EQ(request(stream, "http://x", "OPTIONS", "PUT"), Flow::kReplied);
  ASSERT_EQ(stream.replies.size(), 1u);
  EXPECT_EQ(stream.replies[0].status, 200);
  EXPECT_EQ(stream.replies[0].details, "cors_response");
  EXPECT_EQ(reply_headers(stream.replies[0]),
            "access-control-allow-methods=GET,PUT;access-control-allow-headers=x-a;"
            "access-control-max-age=60;access-control-allow-private-network=true;");
  EXPECT_EQ(response(stream), "access-control-allow-origin=http://x;");
  FakeStream plain;  // OPTIONS of its own accord is no preflight
  plain.routes = {own.get()};
  EXPECT_EQ(request(plain, "http://x", "OPTIONS"), Flow::kContinue);
  EXPECT_TRUE(plain.replies.empty());
}

TEST_F(CorsTest, PreflightsOfOtherOriginsGoOnUnlessTheyMustNot) {
  const auto open = policy({{"allow_origin_string_match", List{origin("http://a")}}});
  const auto closed = policy({{"allow_origin_string_match", List{origin("http://a")}},
                              {"allow_methods", "PUT"},
                              {"forward_not_matching_preflights", false}});
  FakeStream forwarded, refused;
  forwarded.routes = {open.get()};
  EXPECT_EQ(request(forwarded, "http://x", "OPTIONS", "PUT"), Flow::kContinue);
  refused.routes = {closed.get()};
  EXPECT_EQ(request(refused, "http://x", "OPTIONS", "PUT"), Flow::kReplied);
  EXPECT_EQ(refused.replies.at(0).status, 200);
  EXPECT_EQ(reply_headers(refused.replies.at(0)), "");
  EXPECT_EQ(response(refused), "");
}

TEST_F(CorsTest, LevelsFillEachOther) {
  const auto route = policy({{"expose_headers", "x-route"}});
  const auto host = policy({{"allow_origin_string_match", List{origin("http://a")}},
                            {"expose_headers", "x-host"},
                            {"allow_credentials", true}});
  FakeStream stream;
  stream.routes = {route.get(), host.get()};
  EXPECT_EQ(request(stream, "http://a"), Flow::kContinue);
  EXPECT_EQ(response(stream),
            "access-control-allow-origin=http://a;access-control-allow-credentials=true;"
            "access-control-expose-headers=x-route;");
}

TEST_F(CorsTest, OffAndShadow) {
  const auto off = policy(
      {{"allow_origin_string_match", List{origin("http://a")}}, {"filter_enabled", percent(0)}});
  FakeStream stream;
  stream.routes = {off.get()};
  EXPECT_EQ(request(stream, "http://a"), Flow::kContinue);
  EXPECT_EQ(response(stream), "");
  EXPECT_EQ(valid(), 0u);
  const auto shadow = policy({{"allow_origin_string_match", List{origin("http://a")}},
                              {"filter_enabled", percent(0)},
                              {"shadow_enabled", percent(100)}});
  FakeStream seen;
  seen.routes = {shadow.get()};
  EXPECT_EQ(request(seen, "http://a", "OPTIONS", "PUT"), Flow::kContinue);
  EXPECT_EQ(response(seen), "");
  EXPECT_EQ(valid(), 1u);
}

TEST_F(CorsTest, Mistakes) {
  policy({{"max_age", "1\r\nx: y"}});
  EXPECT_EQ(errors.size(), 1u);
  policy({{"alow_methods", "x"}});
  EXPECT_EQ(errors.size(), 2u);
  make(&make_cors, {{"anything", "x"}});
  EXPECT_EQ(errors.size(), 1u);
}

}  // namespace
}  // namespace weir::filters::test
