// Texts and files around the values: data sources, overlays, comparable and redacted texts, anchors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "fixture.h"

namespace weir::config::test {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(LoaderTest, EqualMeaningGivesEqualText) {
  const std::string one =
      with_routes("- match: {prefix: /}\n  direct_response: {status: 200}\n", cluster_named("a"));
  const std::string other =
      "# a comment\n" +
      with_routes(
          "# more\n- direct_response:\n    status: 200\n  match:   { \"prefix\" : \"/\" }\n",
          "- connect_timeout: 1s # here\n  name: a\n");
  auto a = good(one);
  auto b = good(other);
  EXPECT_EQ(a->listener_texts, b->listener_texts);
  EXPECT_EQ(a->cluster_texts, b->cluster_texts);
  auto c = good(
      with_routes("- match: {prefix: /}\n  direct_response: {status: 201}\n", cluster_named("a")));
  EXPECT_NE(a->listener_texts, c->listener_texts);
  EXPECT_EQ(a->cluster_texts, c->cluster_texts);
}

class Files : public LoaderTest {
 protected:
  Files() {
    char name[] = "/tmp/weir-config-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~Files() override {
    for (const std::string& file : made_) std::remove(file.c_str());
    ::rmdir(folder_.c_str());
  }
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    made_.push_back(path);
    return path;
  }
  std::string folder_;
  std::vector<std::string> made_;
};

std::string with_code(const std::string& source) {
  return with_hcm(
      "stat_prefix: in\nhttp_filters:\n- name: f\n  typed_config: {\"@type\": "
      "type.googleapis.com/test.Label, code: " +
      source + "}\n" + kRouter + "route_config: {}\n");
}

TEST_F(Files, DataSourcesAreReadRecordedAndCompared) {
  const std::string code = write("a.wasm", "one");
  const std::string yaml = write("weir.yaml", with_code("{filename: " + code + "}"));
  LoadResult before = load_file(yaml, context_);
  ASSERT_EQ(texts(before.diagnostics), "");
  const auto& filters = before.configuration->listeners.at(0)->filter_chains.at(0)->hcm->filters;
  EXPECT_EQ(static_cast<const StubFactory&>(*filters.at(0).factory).code, "one");
  EXPECT_THAT(before.files, ElementsAre(yaml, code));
  EXPECT_THAT(before.configuration->files, ElementsAre(yaml, code));
  LoadResult same = load_file(yaml, context_);
  EXPECT_EQ(before.configuration->listener_texts, same.configuration->listener_texts);
  write("a.wasm", "two");
  LoadResult after = load_file(yaml, context_);
  EXPECT_NE(before.configuration->listener_texts, after.configuration->listener_texts)
      << "a changed module is a changed listener";
}

TEST_F(Files, OtherDataSources) {
  auto bytes = good(with_code("{inline_bytes: AGFzbQ==}"));
  const auto code = [](const Configuration& configuration) {
    return static_cast<const StubFactory&>(
               *configuration.listeners.at(0)->filter_chains.at(0)->hcm->filters.at(0).factory)
        .code;
  };
  EXPECT_EQ(code(*bytes), std::string("\0asm", 4));
  ::setenv("WEIR_CONFIG_TEST", "from the environment", 1);
  auto environment = good(with_code("{environment_variable: WEIR_CONFIG_TEST}"));
  EXPECT_EQ(code(*environment), "from the environment");
  ::unsetenv("WEIR_CONFIG_TEST");
  LoadResult unset = load(with_code("{environment_variable: WEIR_CONFIG_TEST}"));
  EXPECT_THAT(texts(unset.diagnostics), HasSubstr("\"WEIR_CONFIG_TEST\" is not set"));
}

TEST_F(Files, AMissingFileIsAnErrorAndIsWatched) {
  const std::string missing = folder_ + "/none.wasm";
  LoadResult result = load(with_code("{filename: " + missing + "}"));
  EXPECT_EQ(result.configuration, nullptr);
  EXPECT_THAT(texts(result.diagnostics), HasSubstr(missing));
  EXPECT_THAT(result.files, ElementsAre(missing));
  LoadResult folder = load(with_code("{filename: " + folder_ + "}"));
  EXPECT_THAT(texts(folder.diagnostics), HasSubstr("not a regular file"));
  LoadResult device = load(with_code("{filename: /dev/zero}"));
  EXPECT_THAT(texts(device.diagnostics), HasSubstr("not a regular file"));
  LoadResult none = load_file(missing, context_);
  EXPECT_EQ(none.configuration, nullptr);
  ASSERT_EQ(none.diagnostics.size(), 1u);
  EXPECT_THAT(none.diagnostics[0].to_string(), HasSubstr(missing + ": "));
}

TEST_F(Files, OverlayIsMergedOverTheFile) {
  const std::string yaml =
      write("weir.yaml",
            "node: {id: a, cluster: c}\nadmin: {address: {socket_address: {address: 127.0.0.1, "
            "port_value: 1}}}\nstatic_resources:\n  clusters:\n  - name: one\n");
  LoadResult result = load_file(yaml, context_,
                                "node: {id: b}\nadmin: {address: {socketAddress: {portValue: 2}}}\n"
                                "static_resources: {clusters: [{name: two}]}\n");
  ASSERT_EQ(texts(result.diagnostics), "");
  EXPECT_EQ(result.configuration->node_id, "b");
  EXPECT_EQ(result.configuration->node_cluster, "c");
  EXPECT_EQ(result.configuration->admin.address->port(), 2);
  ASSERT_EQ(result.configuration->clusters.size(), 2u);
  EXPECT_EQ(result.configuration->clusters[1]->name, "two");
  LoadResult wrong = load_file(yaml, context_, "nodee: {}\n");
  EXPECT_THAT(texts(wrong.diagnostics), HasSubstr("--config-yaml:1:1: unknown field \"nodee\""));
}

TEST_F(LoaderTest, DumpHidesSecrets) {
  auto configuration = good(
      with_hcm("stat_prefix: in\n"
               "http_filters:\n"
               "- name: w\n"
               "  typed_config:\n"
               "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
               "    config:\n"
               "      private_key: {inline_string: S3CRET-1}\n"
               "      token_bucket: {max_tokens: 5}\n"
               "      environment_variables: {key_values: {API_TOKEN: S3CRET-2, MODE: fast}}\n"
               "      configuration:\n"
               "        value: '{\"api_keys\": [\"S3CRET-3\"], \"header\": \"x-key\"}'\n"
               "      header: {key: Authorization, value: S3CRET-4}\n" +
               kRouter + "route_config: {}\n"));
  EXPECT_THAT(configuration->dump_json, Not(HasSubstr("S3CRET")));
  EXPECT_THAT(configuration->dump_json, HasSubstr("[redacted]"));
  EXPECT_THAT(configuration->dump_json, HasSubstr(R"("max_tokens":5)"));
  EXPECT_THAT(configuration->dump_json, HasSubstr(R"("MODE":"fast")"));
  EXPECT_THAT(configuration->dump_json, HasSubstr("x-key"));
  EXPECT_THAT(configuration->listener_texts.at(0), HasSubstr("S3CRET-3"));
}

TEST_F(LoaderTest, AFrameIsTheListenerWithoutItsPlugins) {
  const auto with = [this](const std::string& prefix, const std::string& configuration) {
    return good(
        with_hcm("stat_prefix: " + prefix +
                 "\nhttp_filters:\n- name: w\n  typed_config:\n"
                 "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
                 "    config: {configuration: {value: " +
                 configuration + "}}\n" + kRouter + "route_config: {}\n"));
  };
  const auto one = with("in", "one"), plugin = with("in", "two"), prefix = with("out", "one");
  EXPECT_NE(one->listener_texts, plugin->listener_texts);
  EXPECT_EQ(one->listener_frames, plugin->listener_frames);
  EXPECT_NE(one->listener_frames, prefix->listener_frames);
}

TEST_F(LoaderTest, WhatIsFoundLaterStandsAtTheInnermostKnownPlace) {
  Configuration configuration;
  configuration.files = {"t.yaml", "a.wasm"};
  configuration.places = {{"t.yaml", 3, 5, "static_resources.listeners[1]"},
                          {"t.yaml", 9, 7, "static_resources.listeners[1].filter_chains[0]"},
                          {"--config-yaml", 1, 2, "static_resources.listeners[11]"}};
  EXPECT_EQ(configuration.diagnose("static_resources.listeners[1].name", "m").to_string(),
            "t.yaml:3:5: static_resources.listeners[1].name: m");
  EXPECT_EQ(
      configuration.diagnose("static_resources.listeners[1].filter_chains[0].x", "m").to_string(),
      "t.yaml:9:7: static_resources.listeners[1].filter_chains[0].x: m");
  EXPECT_EQ(configuration.diagnose("static_resources.listeners[11]", "m").to_string(),
            "--config-yaml:1:2: static_resources.listeners[11]: m");
  EXPECT_EQ(configuration.diagnose("static_resources.clusters[0]", "m").to_string(),
            "t.yaml: static_resources.clusters[0]: m");
}

TEST_F(LoaderTest, PlacesOfListenersAreKept) {
  auto configuration =
      good(with_routes("- match: {prefix: /}\n  direct_response: {status: 200}\n"));
  const Diagnostic found = configuration->diagnose("static_resources.listeners[0]", "m");
  EXPECT_EQ(found.to_string(), "t.yaml:3:5: static_resources.listeners[0]: m");
}

TEST_F(LoaderTest, AnchorsMayBeSharedAndKeptAside) {
  auto configuration = good(
      "\"!ignore\":\n"
      "  - &timeout 7s\n"
      "static_resources:\n"
      "  clusters:\n"
      "  - {name: a, connect_timeout: *timeout}\n"
      "  - {name: b, connect_timeout: *timeout}\n");
  EXPECT_EQ(configuration->clusters.at(1)->connect_timeout, seconds(7));
}

TEST_F(LoaderTest, NullMeansAbsent) {
  auto configuration = good(
      "node: ~\nadmin:\nstatic_resources:\n  clusters:\n  - {name: a, connect_timeout: null}\n");
  EXPECT_EQ(configuration->clusters.at(0)->connect_timeout, seconds(5));
}

}  // namespace
}  // namespace weir::config::test
