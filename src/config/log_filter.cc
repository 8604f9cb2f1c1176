#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <weir/stream_info.h>

#include "config/access_log.h"
#include "config/parts.h"

namespace weir::config {
namespace {

using proxy::LogFilter;
using Kind = LogFilter::Kind;

// ComparisonFilter: its value may be overridden at run time in Envoy; here default_value holds.
void read_comparison(View& filter, LogFilter& out) {
  auto comparison = filter.required_child("comparison");
  if (!comparison) return;
  out.compare =
      static_cast<LogFilter::Compare>(comparison->enumeration("op", {"EQ", "GE", "LE", "NE"}, 0));
  auto value = comparison->required_child("value");
  if (!value) return;
  value->ignore({"runtime_key"});
  out.value = value->uint32("default_value", 0);
}

void read_runtime(View& filter, LogFilter& out) {
  filter.ignore({"runtime_key", "use_independent_randomness"});
  auto percent = filter.child("percent_sampled");
  out.fraction = percent ? read_fraction(*percent) : 0;
}

void read_flags(View& filter, LogFilter& out) {
  for (const std::string& name : filter.texts("flags")) {
    bool known = false;
    std::vector<std::string_view> names;
    for (unsigned i = 0; i < static_cast<unsigned>(ResponseFlag::kCount_); ++i) {
      const std::string_view flag = response_flag_name(static_cast<ResponseFlag>(i));
      names.push_back(flag);
      if (flag != name) continue;
      out.flags |= 1u << i;
      known = true;
    }
    if (!known)
      filter.error("flags", "unknown response flag " + quote(name) + suggestion(name, names));
  }
}

void read_branches(View& filter, LogFilter& out);

std::unique_ptr<LogFilter> read_kind(View& view) {
  view.later({"traceable_filter", "grpc_status_filter", "metadata_filter", "log_type_filter",
              "extension_filter"});
  const std::string_view kind = view.one_of(
      {"status_code_filter", "duration_filter", "not_health_check_filter", "runtime_filter",
       "and_filter", "or_filter", "header_filter", "response_flag_filter"},
      View::Required::kNo);
  if (kind.empty()) {
    if (!view.failed())
      view.error({}, "an empty filter; give one of its kinds, such as \"status_code_filter\"");
    return nullptr;
  }
  auto filter = view.child(kind);
  if (!filter) return nullptr;
  auto out = std::make_unique<LogFilter>();
  if (kind == "status_code_filter" || kind == "duration_filter") {
    out->kind = kind == "duration_filter" ? Kind::kDuration : Kind::kStatusCode;
    read_comparison(*filter, *out);
  } else if (kind == "not_health_check_filter") {
    out->kind = Kind::kNotHealthCheck;
  } else if (kind == "runtime_filter") {
    out->kind = Kind::kRuntime;
    read_runtime(*filter, *out);
  } else if (kind == "and_filter" || kind == "or_filter") {
    out->kind = kind == "and_filter" ? Kind::kAnd : Kind::kOr;
    read_branches(*filter, *out);
  } else if (kind == "header_filter") {
    out->kind = Kind::kHeader;
    if (auto header = filter->required_child("header"))
      out->header = HeaderMatchers::read_one(*header);
  } else {
    out->kind = Kind::kResponseFlag;
    read_flags(*filter, *out);
  }
  return out;
}

// Bounded by the depth of the tree.
void read_branches(View& filter, LogFilter& out) {
  auto branches = filter.children("filters");
  if (branches.size() < 2) filter.error("filters", "at least two filters are needed");
  for (auto& branch : branches) {
    if (auto child = read_kind(*branch)) out.children.push_back(std::move(child));
  }
}

}  // namespace

std::unique_ptr<LogFilter> read_log_filter(View& parent, std::string_view field) {
  auto view = parent.child(field);
  return view ? read_kind(*view) : nullptr;
}

}  // namespace weir::config
