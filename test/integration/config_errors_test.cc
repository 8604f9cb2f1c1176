// What the author of a configuration is told: file, line, column, path and reason of every kind of error, also of those that
// are found after the file was read; and --config-yaml over a file.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <sstream>

#include "support/test_proxy.h"
#include "support/text.h"

namespace weir::test {
namespace {

const TestProxy::Options kFromFile{.workers = 1, .from_file = true};

constexpr const char* kDirect =
    "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: ok}}\n";

std::string plugin(std::string_view guest) {
  return "- name: p\n"
         "  typed_config:\n"
         "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
         "    config:\n"
         "      name: p\n"
         "      vm_config: {code: {local: {filename: " +
         guest_path(guest) + "}}}\n";
}

/// 1-based line and column of `part` in `text`.
std::pair<size_t, size_t> place_of(const std::string& text, std::string_view part) {
  const size_t at = text.find(part);
  if (at == std::string::npos) return {0, 0};
  size_t line = 1, start = 0;
  for (size_t i = 0; i < at; ++i) {
    if (text[i] != '\n') continue;
    ++line;
    start = i + 1;
  }
  return {line, at - start + 1};
}

std::string json_place(std::pair<size_t, size_t> place) {
  return "\"line\":" + std::to_string(place.first) + ",\"column\":" + std::to_string(place.second);
}

struct Ended {
  int code = -1;
  std::string output;
};

/// Runs the binary and takes both of its outputs.
Ended run_weir(const std::string& arguments) {
  Ended out;
  const std::string command = std::string(WEIR_BINARY_DIR) + "/weir " + arguments + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> part{};
  while (const size_t size = std::fread(part.data(), 1, part.size(), pipe))
    out.output.append(part.data(), size);
  const int status = ::pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

TEST(ConfigErrors, AllOfThemAtOnceWithPlaces) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), kFromFile);
  yaml.hcm = "statprefix: x\nmax_request_headers_kb: lots\n";
  yaml.routes += "- match: {prefix: /x}\n  route: {cluster: orgin}\n";
  const std::string text = yaml.text();
  proxy.write_config(text);
  proxy.wait_for_rejection(1);
  const std::string page = proxy.admin("/reload");
  EXPECT_TRUE(says(page, "\"file\":\"" + proxy.config_path() + "\"")) << page;
  EXPECT_TRUE(says(page, json_place(place_of(text, "statprefix")))) << page;
  EXPECT_TRUE(says(page, R"(unknown field \"statprefix\" (did you mean \"stat_prefix\"?))"));
  EXPECT_TRUE(says(page, json_place(place_of(text, "lots")))) << page;
  EXPECT_TRUE(says(page, json_place(place_of(text, "orgin")))) << page;
  EXPECT_TRUE(says(page, R"(unknown cluster \"orgin\" (did you mean \"origin\"?))")) << page;
  EXPECT_TRUE(says(page, R"("path":"static_resources.listeners[0].filter_chains[0])")) << page;
}

TEST(ConfigErrors, RefusedPluginHasItsPlace) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), kFromFile);
  yaml.filters = plugin("pass") + plugin("configure_false");
  std::string text = yaml.text();
  const size_t at = text.rfind("      name: p", text.find("configure_false")) + 6;
  text.replace(at, 7, "name: q");
  proxy.write_config(text);
  proxy.wait_for_rejection(1);
  const std::string page = proxy.admin("/reload");
  EXPECT_TRUE(says(page, json_place(place_of(text, "name: q")))) << page;
  EXPECT_TRUE(says(page, "http_filters[1].typed_config.config")) << page;
  EXPECT_TRUE(says(page, "\"message\":\"plugin q: ")) << page;
  EXPECT_EQ(proxy.generation(), 1u);
}

TEST(ConfigErrors, ListenerThatCannotListenHasItsPlace) {
  Origin taken;
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), kFromFile);
  std::string text = yaml.text();
  const size_t begin = text.find("  - name: main"), end = text.find("  clusters:");
  std::string second = text.substr(begin, end - begin);
  second.replace(second.find("main"), 4, "second");
  const size_t port = second.find("port_value: 0");
  second.replace(port, 13, "port_value: " + std::to_string(taken.port()));
  text.insert(end, second);
  proxy.write_config(text);
  proxy.wait_for_rejection(1);
  const std::string page = proxy.admin("/reload");
  EXPECT_TRUE(says(page, json_place(place_of(text, "name: second")))) << page;
  EXPECT_TRUE(says(page, "\"path\":\"static_resources.listeners[1]\"")) << page;
  EXPECT_TRUE(says(page, "listener second (127.0.0.1:")) << page;
}

TEST(ConfigErrors, ValidatePrintsAllOfThemAndFails) {
  const TempFolder folder;
  Yaml yaml;
  yaml.routes = kDirect;
  const std::string good = folder.write("good.yaml", yaml.text());
  Ended ended = run_weir("validate " + good);
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_TRUE(says(ended.output, "OK")) << ended.output;

  yaml.hcm = "statprefix: x\n";
  yaml.cluster = "lb_policy: BEST\n";
  std::string text = yaml.text();
  const std::string bad = folder.write("bad.yaml", text);
  for (const char* form : {"validate ", "--mode validate -c "}) {
    ended = run_weir(form + bad);
    EXPECT_EQ(ended.code, 1) << ended.output;
    for (const char* part : {"statprefix", "BEST"}) {
      const auto [line, column] = place_of(text, part);
      std::ostringstream place;
      place << bad << ":" << line << ":" << column << ": ";
      EXPECT_TRUE(says(ended.output, place.str())) << ended.output;
    }
  }

  yaml = Yaml();
  yaml.routes = kDirect;
  yaml.filters = plugin("configure_false");
  text = yaml.text();
  const std::string refused = folder.write("refused.yaml", text);
  ended = run_weir("validate " + refused);
  EXPECT_EQ(ended.code, 1) << ended.output;
  const auto [line, column] = place_of(text, "name: p\n                vm_config");
  EXPECT_TRUE(says(ended.output, refused + ":" + std::to_string(line) + ":" +
                                     std::to_string(column) + ": static_resources."))
      << ended.output;
}

TEST(ConfigErrors, TextOfTheCommandLineIsLaidOverTheFile) {
  const TempFolder folder;
  Yaml yaml;
  yaml.routes = "- match: {prefix: /}\n  route: {cluster: added}\n";
  const std::string file = folder.write("weir.yaml", yaml.text());
  Ended ended = run_weir("--mode validate -c " + file);
  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_TRUE(says(ended.output, "unknown cluster \"added\"")) << ended.output;
  ended =
      run_weir("--mode validate -c " + file +
               " --config-yaml '{node: {id: n}, static_resources: {clusters: [{name: added}]}}'");
  EXPECT_EQ(ended.code, 0) << ended.output;
  ended = run_weir("--mode validate -c " + file + " --config-yaml '{nod: {}}'");
  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_TRUE(says(ended.output, "--config-yaml:1:2: unknown field \"nod\"")) << ended.output;
  ended = run_weir("--mode validate");
  EXPECT_EQ(ended.code, 1) << ended.output;
}

}  // namespace
}  // namespace weir::test
