// Every file of config/ loads, and says what its comments promise.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "fixture.h"
#include "router/route_table.h"

namespace weir::config::test {
namespace {

std::vector<std::string> example_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_SOURCE_DIR "/config")) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

class Example : public LoaderTest, public ::testing::WithParamInterface<std::string> {
 protected:
  LoadResult load_example(const std::string& name) {
    return load_file(std::string(WEIR_SOURCE_DIR "/config/") + name + ".yaml", context_);
  }
};

TEST_P(Example, Loads) {
  LoadResult result = load_example(GetParam());
  EXPECT_EQ(texts(result.diagnostics), "");
  ASSERT_NE(result.configuration, nullptr);
  EXPECT_FALSE(result.configuration->listeners.empty());
  EXPECT_TRUE(result.configuration->admin.address->is_loopback());
  EXPECT_EQ(result.configuration->listener_texts.size(), result.configuration->listeners.size());
  EXPECT_EQ(result.configuration->cluster_texts.size(), result.configuration->clusters.size());
}

INSTANTIATE_TEST_SUITE_P(Files, Example, ::testing::ValuesIn(example_names()),
                         [](const ::testing::TestParamInfo<std::string>& info) {
                           return info.param;
                         });

TEST_F(Example, QuickstartIsWhereItsCommentSays) {
  LoadResult result = load_example("quickstart");
  ASSERT_NE(result.configuration, nullptr);
  const proxy::ListenerOptions& listener = *result.configuration->listeners.at(0);
  EXPECT_EQ(listener.address.to_string(), "127.0.0.1:10000");
  EXPECT_EQ(result.configuration->admin.address->to_string(), "127.0.0.1:9901");
  EXPECT_EQ(listener.filter_chains.at(0)->hcm->filters.at(0).type,
            "envoy.extensions.filters.http.wasm.v3.Wasm");
  EXPECT_EQ(
      result.configuration->clusters.at(0)->localities.at(0).endpoints.at(0).address.to_string(),
      "127.0.0.1:10080");
  LoadResult upstream = load_example("quickstart_upstream");
  ASSERT_NE(upstream.configuration, nullptr);
  EXPECT_EQ(upstream.configuration->listeners.at(0)->address.to_string(), "127.0.0.1:10080");
  EXPECT_TRUE(upstream.configuration->clusters.empty());
}

TEST_F(Example, KeysOfClientsAreNotDumped) {
  LoadResult result = load_example("wasm_api_key");
  ASSERT_NE(result.configuration, nullptr);
  EXPECT_EQ(result.configuration->dump_json.find("example-key"), std::string::npos);
}

}  // namespace
}  // namespace weir::config::test
