#include "router/redirect.h"

#include "base/strings.h"
#include "router/match.h"
#include "router/rewrite.h"

namespace weir::router {
namespace {

/// The request's host as it goes with the new scheme: another port replaces its port, and a default port that belongs to
/// the old scheme goes.
std::string_view kept_host(std::string_view authority, std::string_view old_scheme,
                           std::string_view new_scheme, bool new_port) noexcept {
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.find(']', colon) != std::string_view::npos)
    return authority;
  const std::string_view port = authority.substr(colon + 1);
  bool drop = new_port;
  if (new_scheme != old_scheme)
    drop |= (old_scheme == "https" && port == "443") || (old_scheme == "http" && port == "80");
  return drop ? authority.substr(0, colon) : authority;
}

std::string new_path(const RedirectOptions& redirect, const RouteMatchOptions& matcher,
                     std::string_view path) {
  const std::string_view bare = split_path(path).path;
  if (!redirect.path_redirect.empty()) {
    // A query of path_redirect's own wins over the request's and is never stripped.
    if (redirect.strip_query || redirect.path_redirect.find('?') != std::string::npos)
      return redirect.path_redirect;
    return redirect.path_redirect + std::string(path.substr(bare.size()));
  }
  return rewritten_path(matcher, redirect.prefix_rewrite, redirect.regex_rewrite,
                        redirect.strip_query ? bare : path);
}

}  // namespace

std::string redirect_location(const RedirectOptions& redirect, const RouteMatchOptions& matcher,
                              const RequestHead& head) {
  const std::string_view old_scheme =
      head.scheme().empty() ? std::string_view("http") : head.scheme();
  std::string_view scheme = old_scheme;
  if (redirect.https_redirect) {
    scheme = "https";
  } else if (!redirect.scheme_redirect.empty()) {
    scheme = redirect.scheme_redirect;
  }
  const bool new_port = redirect.port_redirect != 0;
  const std::string_view host = redirect.host_redirect.empty()
                                    ? kept_host(head.authority(), old_scheme, scheme, new_port)
                                    : std::string_view(redirect.host_redirect);
  // An earlier rewrite (a filter's) is undone: the client knows the original path.
  const std::string_view path =
      head.headers.get(HeaderId::kXEnvoyOriginalPath).value_or(head.path());
  std::string location = base::concat(scheme, "://", host);
  if (new_port) base::append_all(location, ':', redirect.port_redirect);
  return location += new_path(redirect, matcher, path);
}

}  // namespace weir::router
