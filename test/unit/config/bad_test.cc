// Wrong snippets and exactly what is said about them: the table is bad_cases.txt.
#include <gtest/gtest.h>

#include <fstream>
#include <ostream>
#include <sstream>

#include "fixture.h"

namespace weir::config::test {
namespace {

struct Case {
  std::string name, place, yaml, expected;
};
void PrintTo(const Case& bad, std::ostream* out) { *out << bad.name; }

std::string with_paths(std::string text) {
  const std::string hcm = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
  const std::pair<std::string, std::string> kPlaces[] = {
      {"<hcm>", hcm}, {"<routes>", hcm + ".route_config.virtual_hosts[0].routes"}};
  for (const auto& [place, path] : kPlaces) {
    for (size_t at = text.find(place); at != std::string::npos; at = text.find(place)) {
      text.replace(at, place.size(), path);
    }
  }
  return text;
}

std::vector<Case> read_cases() {
  std::vector<Case> out;
  std::ifstream file(WEIR_SOURCE_DIR "/test/unit/config/bad_cases.txt");
  bool in_expected = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("== ", 0) == 0) {
      Case next;
      std::istringstream(line.substr(3)) >> next.name >> next.place;
      out.push_back(std::move(next));
      in_expected = false;
    } else if (line == "--") {
      in_expected = true;
    } else if (!out.empty() && !(in_expected && line.empty())) {
      (in_expected ? out.back().expected : out.back().yaml) += line + "\n";
    }
  }
  return out;
}

std::string whole(const Case& bad) {
  if (bad.place == "listener")
    return "static_resources:\n  listeners:\n  -\n" + indent(bad.yaml, 4);
  if (bad.place == "cluster") return "static_resources:\n  clusters:\n  -\n" + indent(bad.yaml, 4);
  if (bad.place == "hcm") return with_hcm(bad.yaml);
  if (bad.place == "routes") return with_routes(bad.yaml, cluster_named("upstream"));
  return bad.yaml;
}

class BadConfiguration : public LoaderTest, public ::testing::WithParamInterface<Case> {};

TEST_P(BadConfiguration, IsRefusedWithAllItsErrors) {
  LoadResult result = load(whole(GetParam()));
  EXPECT_EQ(result.configuration, nullptr);
  EXPECT_EQ(texts(result.diagnostics), with_paths(GetParam().expected)) << whole(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Table, BadConfiguration, ::testing::ValuesIn(read_cases()),
                         [](const ::testing::TestParamInfo<Case>& info) {
                           return info.param.name;
                         });

TEST(BadCases, TableIsRead) { EXPECT_GT(read_cases().size(), 150u); }

}  // namespace
}  // namespace weir::config::test
