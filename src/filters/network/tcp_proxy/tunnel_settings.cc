#include "filters/network/tcp_proxy/tunnel_settings.h"

#include <algorithm>
#include <utility>

#include "http/rules.h"

namespace weir::filters::tcp_proxy {

namespace {

stream::Format read_hostname(ConfigView& tunnel) {
  const std::string text = tunnel.required_text("hostname");
  auto format = stream::Format::compile(text);
  if (!format) {
    tunnel.error("hostname", format.error().detail);
    return {};
  }
  const auto constant = format->constant();
  if (constant && !constant->empty() && !http::valid_authority(*constant))
    tunnel.error("hostname", "is no host with a port");
  return std::move(*format);
}

bool is_path(std::string_view text) {
  return text.starts_with('/') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string read_post_path(ConfigView& tunnel) {
  const bool use_post = tunnel.boolean("use_post", false);
  std::string path = tunnel.text("post_path", {});
  if (!path.empty() && !use_post)
    tunnel.error("post_path", "is for requests with \"use_post\" alone");
  else if (!path.empty() && !is_path(path))
    tunnel.error("post_path", "is no path: it begins with \"/\" and has no spaces");
  if (!use_post) return {};
  return path.empty() ? "/" : path;
}

}  // namespace

std::optional<TunnelSettings> TunnelSettings::read(ConfigView& config) {
  auto tunnel = config.message("tunneling_config");
  if (tunnel == nullptr) return std::nullopt;
  TunnelSettings out;
  out.hostname = read_hostname(*tunnel);
  out.post_path = read_post_path(*tunnel);
  out.headers.add = stream::read_header_adds(*tunnel, "headers_to_add");
  out.propagate_headers = tunnel->boolean("propagate_response_headers", false);
  out.propagate_trailers = tunnel->boolean("propagate_response_trailers", false);
  return out;
}

}  // namespace weir::filters::tcp_proxy
