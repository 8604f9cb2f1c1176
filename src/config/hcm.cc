#include "config/hcm.h"

#include <algorithm>
#include <utility>

#include "config/access_log.h"
#include "config/http2_options.h"
#include "config/parts.h"
#include "config/routes.h"
#include "config/upgrades.h"
#include "http/rules.h"
#include "router/factory.h"

namespace weir::config {
namespace {

using proxy::HcmOptions;

void read_common_options(View& hcm, HcmOptions& out) {
  auto view = hcm.child("common_http_protocol_options");
  if (!view) return;
  out.idle_timeout = view->millis("idle_timeout", out.idle_timeout);
  out.max_connection_duration =
      view->millis("max_connection_duration", out.max_connection_duration);
  out.max_stream_duration = view->millis("max_stream_duration", out.max_stream_duration);
  out.max_requests_per_connection = view->uint32("max_requests_per_connection", 0);
  out.codec.max_header_count = view->uint32("max_headers_count", 100, 1);
  out.codec.underscores = static_cast<http::UnderscoreAction>(view->enumeration(
      "headers_with_underscores_action", {"ALLOW", "REJECT_REQUEST", "DROP_HEADER"}, 0));
  if (view->has("max_response_headers_kb")) {
    view->error("max_response_headers_kb", "belongs into a cluster's HttpProtocolOptions");
  }
}

void read_http1_options(View& hcm, HcmOptions& out) {
  auto view = hcm.child("http_protocol_options");
  if (!view) return;
  out.codec.allow_absolute_url = view->boolean("allow_absolute_url", true);
  out.codec.accept_http_10 = view->boolean("accept_http_10", out.codec.accept_http_10);
  out.default_host_for_http_10 = view->text("default_host_for_http_10");
  if (!out.default_host_for_http_10.empty() &&
      !http::valid_authority(out.default_host_for_http_10)) {
    view->error("default_host_for_http_10", quote(out.default_host_for_http_10) + " is not a host");
  }
  out.codec.enable_trailers = view->boolean("enable_trailers", false);
  if (auto format = view->child("header_key_format")) {
    format->later({"stateful_formatter"});
    out.codec.proper_case_words = format->child("proper_case_words") != nullptr;
  }
  view->later({"allow_chunked_length", "override_stream_error_on_invalid_http_message",
               "send_fully_qualified_url", "allow_custom_methods", "use_balsa_parser",
               "ignore_http_11_upgrade"});
}

void read_addresses_and_ids(View& hcm, HcmOptions& out) {
  out.use_remote_address = hcm.boolean("use_remote_address", false);
  out.xff_num_trusted_hops = hcm.uint32("xff_num_trusted_hops", 0);
  out.skip_xff_append = hcm.boolean("skip_xff_append", false);
  out.via = hcm.text("via");
  out.generate_request_id = hcm.boolean("generate_request_id", true);
  out.preserve_external_request_id = hcm.boolean("preserve_external_request_id", false);
  out.always_set_request_id_in_response = hcm.boolean("always_set_request_id_in_response", false);
  out.server_name = hcm.text("server_name", out.server_name);
  out.server_header = static_cast<proxy::ServerHeader>(hcm.enumeration(
      "server_header_transformation", {"OVERWRITE", "APPEND_IF_ABSENT", "PASS_THROUGH"}, 0));
  for (std::string_view field : {"via", "server_name"}) {
    if (!http::valid_header_value(hcm.text(field)))
      hcm.error(field, "a control character cannot stand in a header");
  }
}

void read_client_cert(View& hcm, HcmOptions& out) {
  out.forward_client_cert = static_cast<proxy::ForwardClientCert>(hcm.enumeration(
      "forward_client_cert_details",
      {"SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"}, 0));
  auto details = hcm.child("set_current_client_cert_details");
  if (!details) return;
  out.client_cert_details.subject = details->boolean("subject", false);
  out.client_cert_details.cert = details->boolean("cert", false);
  out.client_cert_details.chain = details->boolean("chain", false);
  out.client_cert_details.dns = details->boolean("dns", false);
  out.client_cert_details.uri = details->boolean("uri", false);
}

void read_timeouts(View& hcm, HcmOptions& out) {
  out.stream_idle_timeout = hcm.millis("stream_idle_timeout", out.stream_idle_timeout);
  out.request_timeout = hcm.millis("request_timeout", out.request_timeout);
  out.request_headers_timeout = hcm.millis("request_headers_timeout", out.request_headers_timeout);
  out.drain_timeout = hcm.millis("drain_timeout", out.drain_timeout);
  out.delayed_close_timeout = hcm.millis("delayed_close_timeout", out.delayed_close_timeout);
}

void read_target_rules(View& hcm, HcmOptions& out) {
  out.path.normalize = hcm.boolean("normalize_path", out.path.normalize);
  out.path.merge_slashes = hcm.boolean("merge_slashes", out.path.merge_slashes);
  const size_t slashes =
      hcm.enumeration("path_with_escaped_slashes_action",
                      {"IMPLEMENTATION_SPECIFIC_DEFAULT", "KEEP_UNCHANGED", "REJECT_REQUEST",
                       "UNESCAPE_AND_REDIRECT", "UNESCAPE_AND_FORWARD"},
                      0);
  out.path.escaped_slashes = static_cast<http::EscapedSlashes>(slashes == 0 ? 0 : slashes - 1);
  hcm.one_of({"strip_matching_host_port", "strip_any_host_port"}, View::Required::kNo);
  out.host.strip_matching_port = hcm.boolean("strip_matching_host_port", false);
  out.host.strip_any_port = hcm.boolean("strip_any_host_port", false);
  out.host.strip_trailing_dot = hcm.boolean("strip_trailing_host_dot", false);
}

void refuse_later(View& hcm) {
  hcm.later({"http3_protocol_options",
             "scoped_routes",
             "tracing",
             "add_user_agent",
             "access_log_options",
             "internal_address_config",
             "request_id_extension",
             "stream_error_on_invalid_http_message",
             "stream_flush_timeout",
             "proxy_status_config",
             "append_x_forwarded_port",
             "append_local_overload",
             "scheme_header_transformation",
             "forward_proto_config",
             "original_ip_detection_extensions",
             "early_header_mutation_extensions",
             "add_proxy_protocol_connection_state",
             "http1_safe_max_connection_duration",
             "typed_header_validation_config",
             "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
             "access_log_flush_interval",
             "flush_access_log_on_new_request"});
}

// What routes may name: the filters of all chains. One name is one filter, or several of the same type.
std::vector<proxy::ConfiguredFilter> all_filters(View& hcm, const HcmOptions& options) {
  std::vector<proxy::ConfiguredFilter> all = options.filters;
  for (const proxy::UpgradeOptions& upgrade : options.upgrades) {
    for (const proxy::ConfiguredFilter& filter : upgrade.filters) {
      const auto same = std::find_if(
          all.begin(), all.end(),
          [&filter](const proxy::ConfiguredFilter& other) { return other.name == filter.name; });
      if (same == all.end()) {
        all.push_back(filter);
      } else if (same->type != filter.type) {
        hcm.error("upgrade_configs", "the filter " + quote(filter.name) +
                                         " has another type than one of the same name before");
      }
    }
  }
  return all;
}

// … and those behind them: the routers' and the clusters'.
upstream::HttpFilters all_upstream_filters(const std::vector<proxy::ConfiguredFilter>& filters,
                                           const Loading& loading) {
  upstream::HttpFilters all = loading.upstream_filters;
  for (const proxy::ConfiguredFilter& filter : filters) {
    if (filter.factory == nullptr) continue;
    if (const auto* own = router::upstream_filters_of(*filter.factory))
      all.insert(all.end(), own->begin(), own->end());
  }
  return all;
}

}  // namespace

std::shared_ptr<const HcmOptions> read_hcm(View& hcm, HcmScope& scope) {
  auto out = std::make_unique<HcmOptions>();
  out->stat_prefix = hcm.required_text("stat_prefix");
  const size_t codec = hcm.enumeration("codec_type", {"AUTO", "HTTP1", "HTTP2", "HTTP3"}, 0);
  if (codec > 2)
    hcm.error("codec_type", "HTTP3 is not supported yet");
  else
    out->codec_type = static_cast<proxy::HttpCodec>(codec);
  if (auto http2 = hcm.child("http2_protocol_options")) out->http2 = read_http2_options(*http2);
  read_addresses_and_ids(hcm, *out);
  read_client_cert(hcm, *out);
  read_timeouts(hcm, *out);
  read_target_rules(hcm, *out);
  out->host.listener_port = scope.listener_port;
  out->codec.max_header_bytes = size_t{1024} * hcm.uint32("max_request_headers_kb", 60, 1, 8192);
  read_common_options(hcm, *out);
  read_http1_options(hcm, *out);
  out->proxy_100_continue = hcm.boolean("proxy_100_continue", false);
  out->codec.answer_continue = !out->proxy_100_continue;
  out->access_logs = read_access_logs(hcm, "access_log", scope.loading);
  out->local_reply = read_local_reply(hcm, "local_reply_config");
  refuse_later(hcm);
  out->filters = read_http_filters(hcm, "http_filters", out->stat_prefix, scope);
  out->upgrades = read_upgrades(hcm, out->stat_prefix, scope);
  const std::vector<proxy::ConfiguredFilter> named = all_filters(hcm, *out);
  const upstream::HttpFilters upstream = all_upstream_filters(named, scope.loading);
  RouteScope routes{scope.loading, named, upstream};
  out->routes = read_routes(hcm, routes);
  // The codec's view points into the finished object, which does not move any more.
  out->codec.default_host_for_http_10 = out->default_host_for_http_10;
  return out;
}

}  // namespace weir::config
