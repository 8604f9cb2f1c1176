// Files of config/ for the Wasm filters of filters/: each serves, and does what its comments promise.
#include "base/digest.h"
#include "support/examples.h"

namespace weir::test {
namespace {

TEST_F(Examples, wasm_edit_headers) {
  NEEDS_FILTER("edit_headers");
  start("wasm_edit_headers");
  const Peer::Message answer = ask("/hello", "x-debug: 1\r\nx-tenant: acme\r\n");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_FALSE(says(answer.body, "x-debug")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-original: GET /hello\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-tenant: acme\r\n")) << answer.body;
  EXPECT_TRUE(says(ask("/").body, "x-tenant: none\r\n"));
  EXPECT_FALSE(answer.has("x-upstream"));
  EXPECT_EQ(answer.header("x-frame-options"), "DENY");
  EXPECT_EQ(answer.header("cache-control"), "max-age=60");
}

TEST_F(Examples, wasm_policy_auth) {
  NEEDS_FILTER("policy_auth");
  std::string text = example("wasm_policy_auth");
  AutoOrigin policy([](const Peer::Message& question) {
    const bool ann = says(question.body, R"("x-user":["ann"])");
    return response(ann ? R"({"result": true})" : R"({"result": false})");
  });
  replace_all(text, "port_value: " + std::to_string(other_.port()),
              "port_value: " + std::to_string(policy.port()));
  start_text(text);
  EXPECT_EQ(ask("/", "x-user: ann\r\n").status(), 200);
  EXPECT_EQ(ask("/", "x-user: bob\r\n").status(), 403);
  EXPECT_EQ(policy.requests(), 2u);
  EXPECT_FALSE(says(ask("/healthz", "x-role: admin\r\n").body, "x-role"));
  EXPECT_EQ(policy.requests(), 2u);
  EXPECT_EQ(upstream_.requests(), 2u);
}

TEST_F(Examples, wasm_rate_limit) {
  NEEDS_FILTER("rate_limit");
  start("wasm_rate_limit");
  for (const char* left : {"2", "1", "0"}) {
    const Peer::Message answer = ask("/", "x-api-key: ann\r\n");
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.header("x-ratelimit-remaining"), left);
  }
  EXPECT_EQ(ask("/", "x-api-key: ann\r\n").status(), 429);
  EXPECT_EQ(ask("/", "x-api-key: bob\r\n").status(), 200);
  EXPECT_EQ(ask("/search").status(), 200);
  EXPECT_EQ(ask("/search").header("retry-after"), "60");
}

TEST_F(Examples, wasm_remote) {
  NEEDS_FILTER("add_header");
  const std::string module = text_of(std::string(WEIR_BINARY_DIR) + "/filters/add_header.wasm");
  std::string text = example("wasm_remote");
  AutoOrigin modules([&module](const Peer::Message& request) {
    return says(request.head, "GET /add_header.wasm ") ? response(module) : response("", 404);
  });
  replace_all(text, "port_value: " + std::to_string(other_.port()),
              "port_value: " + std::to_string(modules.port()));
  replace_all(text, std::string(64, '0'), base::sha256_hex(module));
  start_text(text);
  proxy_->wait_for_generation(2);
  EXPECT_EQ(ask("/").header("x-weir-filter"), "hello");
  EXPECT_EQ(modules.requests(), 1u);
}

}  // namespace
}  // namespace weir::test
