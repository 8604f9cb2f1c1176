#include "router/rewrite.h"

#include "base/strings.h"
#include "router/match.h"

namespace weir::router {
namespace {

void rewrite_host(const Route& route, RequestHead& head, EnvoyHeaders envoy_headers) {
  const RouteActionOptions& action = *route.action();
  std::string_view host = route.host_rewrite();
  if (host.empty() && !action.host_rewrite_header.empty())
    host = head.headers.get(action.host_rewrite_header).value_or(std::string_view());
  if (host.empty()) return;
  if (action.append_x_forwarded_host) {
    const auto before = head.headers.get(HeaderId::kXForwardedHost);
    if (!before) {
      head.headers.add(HeaderId::kXForwardedHost, head.authority());
    } else if (!base::iequals(before->substr(before->rfind(',') + 1), head.authority())) {
      // Not twice the same: another hop may have written it already.
      head.headers.set(HeaderId::kXForwardedHost, base::concat(*before, ",", head.authority()));
    }
  }
  if (envoy_headers == EnvoyHeaders::kAdd && !head.headers.has(HeaderId::kXEnvoyOriginalHost))
    head.headers.add(HeaderId::kXEnvoyOriginalHost, head.authority());
  head.set_authority(host);
}

void rewrite_path(const Route& route, RequestHead& head, EnvoyHeaders envoy_headers) {
  const RouteActionOptions& action = *route.action();
  if (action.prefix_rewrite.empty() && !action.regex_rewrite) return;
  if (head.path().empty()) return;  // CONNECT
  const std::string path =
      rewritten_path(route.matcher(), action.prefix_rewrite, action.regex_rewrite, head.path());
  if (path == head.path()) return;
  if (envoy_headers == EnvoyHeaders::kAdd)
    head.headers.set(HeaderId::kXEnvoyOriginalPath, head.path());
  head.set_path(path);
}

}  // namespace

std::string rewritten_path(const RouteMatchOptions& matcher, std::string_view prefix_rewrite,
                           const std::optional<RegexRewrite>& regex_rewrite,
                           std::string_view path) {
  const std::string_view bare = split_path(path).path;
  const std::string_view rest = path.substr(bare.size());
  if (regex_rewrite) {
    return regex_rewrite->pattern.replace_all(bare, regex_rewrite->substitution).append(rest);
  }
  if (prefix_rewrite.empty()) return std::string(path);
  size_t matched = bare.size();
  if (matcher.kind == RouteMatchOptions::Path::kPrefix ||
      matcher.kind == RouteMatchOptions::Path::kSeparatedPrefix)
    matched = std::min(matcher.path.size(), bare.size());
  return base::concat(prefix_rewrite, bare.substr(matched), rest);
}

void rewrite_request(const Route& route, RequestHead& head, EnvoyHeaders envoy_headers) {
  rewrite_host(route, head, envoy_headers);
  rewrite_path(route, head, envoy_headers);
}

}  // namespace weir::router
