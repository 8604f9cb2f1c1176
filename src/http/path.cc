// Normalisation of paths and hosts, so that routing, authorisation and the upstream see the same bytes.
#include <cstring>

#include "base/strings.h"
#include "http/chars.h"
#include "http/rules.h"

namespace weir::http {
namespace {

auto refuse(std::string_view why) { return fail(Code::kProtocol, Side::kDownstream, why); }

/// True if `path` (without query) has nothing that any option could change or that could be an error.
bool plain(std::string_view path) noexcept {
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '%' || c == '\\') return false;
    if (c == '/' && i + 1 < path.size() && (path[i + 1] == '.' || path[i + 1] == '/')) return false;
  }
  return true;
}

/// Copies `path` to `out` with the escapes decoded that the options ask for; every escape is checked.
Result<PathOutcome> decode_escapes(std::string_view path, const PathOptions& options,
                                   std::string& out) {
  PathOutcome outcome = PathOutcome::kUnchanged;
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c != '%') {
      out.push_back(options.normalize && c == '\\' ? '/' : c);
      continue;
    }
    if (path.size() - i < 3) return refuse("path has a broken escape");
    const int high = base::hex_value(path[i + 1]);
    const int low = base::hex_value(path[i + 2]);
    if (high < 0 || low < 0) return refuse("path has a broken escape");
    c = static_cast<char>(high * 16 + low);
    if (c == '\0') return refuse("path has an escaped NUL");
    bool decode = options.normalize && chars::is(c, chars::kUnreserved);
    if ((c == '/' || c == '\\') && options.escaped_slashes != EscapedSlashes::kKeepUnchanged) {
      if (options.escaped_slashes == EscapedSlashes::kRejectRequest)
        return refuse("path has an escaped slash");
      if (options.escaped_slashes == EscapedSlashes::kUnescapeAndRedirect)
        outcome = PathOutcome::kRedirect;
      if (options.normalize) c = '/';
      decode = true;
    }
    if (decode) {
      out.push_back(c);
    } else {
      out.append(path, i, 3);
    }
    i += 2;
  }
  return outcome;
}

/// RFC 3986 5.2.4 in place, but a ".." above the root is an error. Requires: starts with '/'.
bool remove_dot_segments(std::string& path) {
  size_t write = 0;  // [0, write) is done and ends before a '/'
  size_t read = 0;   // at a '/'
  while (read < path.size()) {
    size_t end = path.find('/', read + 1);
    if (end == std::string::npos) end = path.size();
    const std::string_view segment = std::string_view(path).substr(read + 1, end - read - 1);
    const bool last = end == path.size();
    if (segment == "." || segment == "..") {
      if (segment == "..") {
        if (write == 0) return false;
        write = path.rfind('/', write - 1);
      }
      if (last) path[write++] = '/';
    } else {
      std::memmove(path.data() + write, path.data() + read, end - read);
      write += end - read;
    }
    read = end;
  }
  path.resize(write);
  return true;
}

void merge_slashes(std::string& path) {
  size_t write = 0;
  for (const char c : path) {
    if (c == '/' && write > 0 && path[write - 1] == '/') continue;
    path[write++] = c;
  }
  path.resize(write);
}

}  // namespace

Result<PathOutcome> normalize_path(std::string_view path, const PathOptions& options,
                                   std::string& out) {
  if (path == "*") return PathOutcome::kUnchanged;
  if (path.empty() || path.front() != '/') return refuse("path does not start with a slash");
  if (std::memchr(path.data(), '#', path.size()) != nullptr) return refuse("path has a fragment");
  const std::string_view before_query = path.substr(0, path.find('?'));
  if (plain(before_query)) return PathOutcome::kUnchanged;

  out.clear();
  out.reserve(path.size());
  WEIR_TRY(decoded, decode_escapes(before_query, options, out));
  if (options.normalize && !remove_dot_segments(out)) return refuse("path leaves the root");
  if (options.merge_slashes) merge_slashes(out);
  out.append(path.substr(before_query.size()));
  if (decoded == PathOutcome::kRedirect) return PathOutcome::kRedirect;
  return out == path ? PathOutcome::kUnchanged : PathOutcome::kChanged;
}

std::string normalize_host(std::string_view authority, const HostOptions& options) {
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  std::string_view host = has_port ? authority.substr(0, colon) : authority;
  std::string_view port =
      has_port ? authority.substr(colon) : std::string_view();  // with its colon
  if (options.strip_any_port || (has_port && options.strip_matching_port &&
                                 port.substr(1) == std::to_string(options.listener_port)))
    port = {};
  if (options.strip_trailing_dot && host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  std::string out;
  out.reserve(host.size() + port.size());
  for (const char c : host) out.push_back(chars::lower(c));
  out.append(port);
  return out;
}

}  // namespace weir::http
