// Every file of config/ loads, and says what its comments promise.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

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
  ~Example() override { std::filesystem::remove_all(folder_); }

  LoadResult load_example(const std::string& name) {
    add_more_stubs(registry_);
    const std::string path = std::string(WEIR_SOURCE_DIR "/config/") + name + ".yaml";
    std::ifstream file(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (text.find(kCertificates) == std::string::npos) return load_file(path, context_);
    return load_file(with_certificates(name, std::move(text)), context_);
  }

 private:
  static constexpr std::string_view kCertificates = "/tmp/weir-certs";

  /// What the comments of an example have its reader make.
  std::string with_certificates(const std::string& name, std::string text) {
    std::filesystem::create_directories(folder_);
    const std::string make = WEIR_SOURCE_DIR "/tools/make_certs " + folder_ + " ";
    for (const std::string& names : {std::string(), std::string("spiffe://cluster.local/web")})
      EXPECT_EQ(std::system((make + names + " >/dev/null").c_str()), 0);
    for (size_t at = 0; (at = text.find(kCertificates, at)) != std::string::npos;)
      text.replace(at, kCertificates.size(), folder_);
    std::ofstream(folder_ + "/" + name + ".yaml", std::ios::binary) << text;
    return folder_ + "/" + name + ".yaml";
  }

  const std::string folder_ =
      ::testing::TempDir() + "weir-example-certs-" + std::to_string(::getpid());
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
