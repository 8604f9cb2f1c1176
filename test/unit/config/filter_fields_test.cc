// Matchers and header options are judged alike wherever they stand, with line and column: in routes (bad_cases.txt), access
// logs and filters.
#include "fixture.h"

#include "filters/builtin.h"

namespace weir::config::test {
namespace {

class FilterFieldsTest : public LoaderTest {
 protected:
  FilterFieldsTest() {
    filters::add_builtin_filters(real_);
    real_.add_http(kRouterType, &make_router_stub);
  }
  /// The fields begin on line 15, column 15.
  std::string errors_of(const std::string& type, const std::string& fields) {
    return errors_in(
        "stat_prefix: in\n"
        "http_filters:\n"
        "- name: f\n"
        "  typed_config:\n"
        "    \"@type\": type.googleapis.com/envoy.extensions.filters.http." +
        type + "\n" + indent(fields, 4) + kRouter + "route_config: {}\n");
  }
  std::string errors_in(const std::string& hcm) {
    LoadContext context{real_, stats_, host_};
    const LoadResult result = load_text(with_hcm(hcm), "t.yaml", context);
    std::string out;
    for (const Diagnostic& one : result.diagnostics) {
      // Paths differ by the place.
      out += std::to_string(one.line) + ":" + std::to_string(one.column) + " ";
      out += one.path.substr(one.path.rfind('.') + 1) + ": " + one.message + "\n";
    }
    return out;
  }
  FilterRegistry real_;
};

TEST_F(FilterFieldsTest, HeaderMatchersOfAFilter) {
  const std::string type = "health_check.v3.HealthCheck";
  EXPECT_EQ(errors_of(type,
                      "pass_through_mode: false\n"
                      "headers:\n"
                      "- {name: a, exact_match: x}\n"
                      "- {name: b, prefix_match: x, invert_match: true}\n"
                      "- {name: c, suffix_match: x}\n"
                      "- {name: d, contains_match: x, treat_missing_header_as_empty: true}\n"
                      "- {name: e, safe_regex_match: {google_re2: {}, regex: x}}\n"
                      "- {name: f, range_match: {start: 1, end: 2}}\n"
                      "- {name: g, string_match: {exact: \"\", ignore_case: true}}\n"),
            "");
  EXPECT_EQ(errors_of(type,
                      "pass_through_mode: false\n"
                      "headers:\n"
                      "- {name: a, prefix_match: \"\"}\n"
                      "- {name: b, string_match: {contains: \"\"}}\n"
                      "- {name: c, range_match: {start: 5, end: 5}}\n"
                      "- {name: d, string_match: {exact: x, suffix: y}}\n"
                      "- {name: e, present_match: true, suffix_match: x}\n"
                      "- {name: f, safe_regex_match: {regex: \"(\"}}\n"
                      "- {present_match: true}\n"),
            "17:41 prefix_match: must not be empty\n"
            "18:52 contains: must not be empty\n"
            "19:56 end: must be greater than \"start\": the end is excluded\n"
            "20:60 suffix: only one of \"exact\", \"prefix\", \"suffix\", \"contains\", "
            "\"safe_regex\" can be given\n"
            "21:62 suffix_match: only one of \"string_match\", \"range_match\", \"present_match\", "
            "\"exact_match\", \"prefix_match\", \"suffix_match\", \"contains_match\", "
            "\"safe_regex_match\" can be given\n"
            "22:53 regex: invalid regex \"(\": missing ): (\n"
            "23:17 headers[6]: the required field \"name\" is missing\n");
}

TEST_F(FilterFieldsTest, HeaderMatcherOfAnAccessLog) {
  const auto with = [](const std::string& header) {
    return "stat_prefix: in\nhttp_filters:\n" + kRouter +
           "route_config: {}\n"
           "access_log:\n"
           "- name: log\n"
           "  filter: {header_filter: {header: " +
           header +
           "}}\n"
           "  typed_config: {\"@type\": "
           "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}\n";
  };
  EXPECT_EQ(errors_in(with("{name: a, contains_match: x}")), "");
  EXPECT_EQ(errors_in(with("{name: a, contains_match: \"\"}")),
            "17:72 contains_match: must not be empty\n");
  EXPECT_EQ(errors_in(with("{name: a, range_match: {start: 2, end: 1}}")),
            "17:85 end: must be greater than \"start\": the end is excluded\n");
}

TEST_F(FilterFieldsTest, HeaderOptionsOfFilters) {
  EXPECT_EQ(errors_of("header_mutation.v3.HeaderMutation",
                      "mutations:\n"
                      "  request_mutations:\n"
                      "  - append: {header: {key: a, value: \"\\x01\"}}\n"
                      "  - append: {header: {key: Host, value: a}}\n"
                      "  - append: {header: {key: b, value: c}, append: true, append_action: "
                      "ADD_IF_ABSENT}\n"
                      "  - append: {append_action: ADD_IF_ABSENT}\n"
                      "  - remove: \":path\"\n"
                      "  - remove_on_match: {key_matcher: {prefix: \"\"}}\n"
                      "  - append: {header: {key: d, value: " +
                          std::string(16385, 'x') + "}}\n"),
            "17:52 value: a control character cannot stand in a header\n"
            "18:42 key: \"host\" cannot be changed here; use a host or path rewrite\n"
            "19:64 append: deprecated, and cannot be given beside \"append_action\"\n"
            "20:27 append: the required field \"header\" is missing\n"
            "21:27 remove: \":path\" cannot be changed here; use a host or path rewrite\n"
            "22:59 prefix: must not be empty\n"
            "23:52 value: longer than 16384 bytes\n");
  EXPECT_EQ(errors_of("local_ratelimit.v3.LocalRateLimit",
                      "stat_prefix: a\n"
                      "response_headers_to_add:\n"
                      "- {header: {key: \"a b\", value: x}}\n"),
            "17:32 key: \"a b\" is not a header name\n");
}

}  // namespace
}  // namespace weir::config::test
