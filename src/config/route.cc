// One route: its match and its action.
#include <utility>

#include "base/strings.h"
#include "config/metadata.h"
#include "config/parts.h"
#include "config/routes.h"
#include "config/upgrades.h"
#include "http/rules.h"

namespace weir::config {
namespace {

using router::DirectResponseOptions;
using router::RedirectOptions;
using router::RouteActionOptions;
using router::RouteMatchOptions;
using Path = RouteMatchOptions::Path;

void read_path(View& match, std::string_view kind, RouteMatchOptions& out) {
  if (kind == "safe_regex") {
    out.kind = Path::kRegex;
    out.regex = base::Regex::read(match, kind);
    return;
  }
  out.kind = kind == "prefix" ? Path::kPrefix
             : kind == "path" ? Path::kExact
                              : Path::kSeparatedPrefix;
  out.path = match.text(kind);
  if (out.kind == Path::kExact && out.path.empty()) match.error(kind, "must not be empty");
  if (!out.path.empty() && out.path[0] != '/') match.error(kind, "must start with \"/\"");
  if (out.path.find_first_of("?#") != std::string::npos)
    match.error(kind, "must not contain \"?\" or \"#\"");
  if (out.kind == Path::kSeparatedPrefix && (out.path.size() < 2 || out.path.back() == '/')) {
    match.error(kind, "must be longer than \"/\" and must not end with \"/\"");
  }
}

void read_rewrites(View& action, RouteActionOptions& out) {
  action.one_of({"prefix_rewrite", "regex_rewrite"}, View::Required::kNo);
  out.prefix_rewrite = action.text("prefix_rewrite");
  out.regex_rewrite = read_regex_rewrite(action, "regex_rewrite");
  action.one_of({"host_rewrite_literal", "host_rewrite_header"}, View::Required::kNo);
  out.host_rewrite_literal = action.text("host_rewrite_literal");
  if (!out.host_rewrite_literal.empty() && !http::valid_authority(out.host_rewrite_literal)) {
    action.error("host_rewrite_literal", quote(out.host_rewrite_literal) + " is not a host");
  }
  out.host_rewrite_header = base::lower(action.text("host_rewrite_header"));
  out.append_x_forwarded_host = action.boolean("append_x_forwarded_host", false);
}

void read_weighted(View& action, RouteActionOptions& out, RouteScope& scope) {
  auto view = action.child("weighted_clusters");
  if (!view) return;
  uint64_t sum = 0;
  for (auto& choice : view->children("clusters")) {
    router::WeightedCluster next;
    next.name = choice->required_text("name");
    check_cluster(*choice, "name", next.name, scope);
    next.weight = choice->uint32("weight", 0);
    next.request_headers =
        stream::HeaderOps::read(*choice, "request_headers_to_add", "request_headers_to_remove");
    next.response_headers =
        stream::HeaderOps::read(*choice, "response_headers_to_add", "response_headers_to_remove");
    next.host_rewrite_literal = choice->text("host_rewrite_literal");
    next.filters = read_filter_overrides(*choice, scope);
    choice->later({"cluster_header", "metadata_match"});
    sum += next.weight;
    out.weighted.push_back(std::move(next));
  }
  view->later({"header_name", "use_hash_policy", "random_value_specifier"});
  view->ignore({"runtime_key_prefix"});
  if (view->has("total_weight") && view->uint32("total_weight", 0, 1) != sum) {
    view->error("total_weight",
                "deprecated, and not the sum of the weights, " + std::to_string(sum));
  }
  if (sum == 0 && !view->failed()) view->error("clusters", "the sum of the weights is 0");
  if (sum > UINT32_MAX) view->error("clusters", "the sum of the weights is beyond 4294967295");
}

router::StreamDurationOptions read_stream_duration(View& view) {
  router::StreamDurationOptions out;
  if (view.has("max_stream_duration")) out.max = view.millis("max_stream_duration", {});
  if (view.has("grpc_timeout_header_max"))
    out.grpc_max = view.millis("grpc_timeout_header_max", {});
  out.grpc_offset = view.millis("grpc_timeout_header_offset", {});
  return out;
}

RouteActionOptions read_action(View& action, RouteScope& scope) {
  RouteActionOptions out;
  action.later({"cluster_specifier_plugin",
                "inline_cluster_specifier_plugin",
                "retry_policy",
                "retry_policy_typed_config",
                "request_mirror_policies",
                "hash_policy",
                "hedge_policy",
                "rate_limits",
                "include_vh_rate_limits",
                "internal_redirect_policy",
                "internal_redirect_action",
                "max_internal_redirects",
                "metadata_match",
                "max_grpc_timeout",
                "grpc_timeout_offset",
                "path_rewrite_policy",
                "path_rewrite",
                "auto_host_rewrite",
                "host_rewrite_path_regex",
                "host_rewrite",
                "early_data_policy",
                "flush_timeout",
                "cors"});
  const std::string_view kind =
      action.has("cluster_specifier_plugin") || action.has("inline_cluster_specifier_plugin")
          ? std::string_view()
          : action.one_of({"cluster", "cluster_header", "weighted_clusters"}, View::Required::kYes);
  out.cluster = kind == "cluster" ? action.required_text(kind) : std::string();
  check_cluster(action, "cluster", out.cluster, scope);
  if (kind == "cluster_header") out.cluster_header = base::lower(action.required_text(kind));
  if (kind == "weighted_clusters") read_weighted(action, out, scope);
  constexpr int kStatuses[] = {503, 404, 500};
  out.cluster_not_found_status = kStatuses[action.enumeration(
      "cluster_not_found_response_code",
      {"SERVICE_UNAVAILABLE", "NOT_FOUND", "INTERNAL_SERVER_ERROR"}, 0)];
  read_rewrites(action, out);
  out.timeout = action.millis("timeout", out.timeout);
  if (action.has("idle_timeout")) out.idle_timeout = action.millis("idle_timeout", {});
  if (auto duration = action.child("max_stream_duration"))
    out.stream_duration = read_stream_duration(*duration);
  out.high_priority = action.enumeration("priority", {"DEFAULT", "HIGH"}, 0) == 1;
  out.upgrades = read_route_upgrades(action);
  return out;
}

RedirectOptions read_redirect(View& redirect) {
  RedirectOptions out;
  redirect.one_of({"https_redirect", "scheme_redirect"}, View::Required::kNo);
  out.https_redirect = redirect.boolean("https_redirect", false);
  out.scheme_redirect = redirect.text("scheme_redirect");
  out.host_redirect = redirect.text("host_redirect");
  out.port_redirect = redirect.uint32("port_redirect", 0, 0, 65535);
  redirect.one_of({"path_redirect", "prefix_rewrite", "regex_rewrite"}, View::Required::kNo);
  out.path_redirect = redirect.text("path_redirect");
  out.prefix_rewrite = redirect.text("prefix_rewrite");
  out.regex_rewrite = read_regex_rewrite(redirect, "regex_rewrite");
  constexpr int kStatuses[] = {301, 302, 303, 307, 308};
  out.status = kStatuses[redirect.enumeration(
      "response_code",
      {"MOVED_PERMANENTLY", "FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT"}, 0)];
  out.strip_query = redirect.boolean("strip_query", false);
  for (std::string_view field :
       {"host_redirect", "path_redirect", "prefix_rewrite", "scheme_redirect"}) {
    if (!http::valid_header_value(redirect.text(field)))
      redirect.error(field, "a control character");
  }
  return out;
}

DirectResponseOptions read_direct(View& direct, const RouteScope& scope) {
  DirectResponseOptions out;
  if (!direct.has("status")) direct.missing("status");
  out.status = static_cast<int>(direct.integer("status", 200, 200, 599));
  direct.later({"body_format"});
  if (auto body = direct.data_source("body")) out.body = std::move(*body);
  if (out.body.size() > scope.max_direct_body) {
    direct.error("body", std::to_string(out.body.size()) +
                             " bytes are more than max_direct_response_body_size_bytes, " +
                             std::to_string(scope.max_direct_body));
  }
  return out;
}

router::QueryMatch read_query_match(View& matcher) {
  router::QueryMatch match;
  match.name = matcher.required_text("name");
  const std::string_view form =
      matcher.one_of({"string_match", "present_match"}, View::Required::kNo);
  if (form == "present_match") match.present = matcher.boolean(form, true);
  if (auto string = form == "string_match" ? matcher.child(form) : nullptr)
    match.string = StringMatcher::read(*string);
  return match;
}

}  // namespace

RouteMatchOptions read_route_match(View& match) {
  RouteMatchOptions out;
  match.later({"path_match_policy", "cookies", "tls_context", "dynamic_metadata", "filter_state"});
  out.grpc = match.child("grpc") != nullptr;
  const bool other = match.has("path_match_policy");
  const std::string_view kind =
      match.one_of({"prefix", "path", "safe_regex", "path_separated_prefix", "connect_matcher"},
                   other ? View::Required::kNo : View::Required::kYes);
  if (kind == "connect_matcher") {
    match.child(kind);  // an empty message
    out.kind = Path::kConnect;
  } else if (!kind.empty()) {
    read_path(match, kind, out);
  }
  out.case_sensitive = match.boolean("case_sensitive", true);
  out.headers = HeaderMatchers::read(match, "headers");
  for (auto& query : match.children("query_parameters"))
    out.query.push_back(read_query_match(*query));
  out.fraction = read_runtime_fraction(match, "runtime_fraction");
  return out;
}

router::RouteOptions read_route(View& view, RouteScope& scope) {
  router::RouteOptions out;
  out.name = view.text("name");
  if (auto match = view.required_child("match")) out.match = read_route_match(*match);
  view.later({"filter_action", "non_forwarding_action", "tracing", "stat_prefix",
              "per_request_buffer_limit_bytes", "request_body_buffer_limit"});
  view.ignore({"decorator"});
  out.metadata = read_metadata(view);
  const bool other = view.has("filter_action") || view.has("non_forwarding_action");
  const std::string_view kind = view.one_of({"route", "redirect", "direct_response"},
                                            other ? View::Required::kNo : View::Required::kYes);
  if (auto action = kind.empty() ? nullptr : view.child(kind)) {
    if (kind == "route") out.route = read_action(*action, scope);
    if (kind == "redirect") out.redirect = read_redirect(*action);
    if (kind == "direct_response") out.direct = read_direct(*action, scope);
  }
  out.request_headers =
      stream::HeaderOps::read(view, "request_headers_to_add", "request_headers_to_remove");
  out.response_headers =
      stream::HeaderOps::read(view, "response_headers_to_add", "response_headers_to_remove");
  out.filters = read_filter_overrides(view, scope);
  out.include_filter_times = view.boolean("include_filter_times_in_response", false);
  return out;
}

}  // namespace weir::config
