// Normalisation of paths and hosts. Byte 0 chooses what and the options; the rest is the path or the authority.
//
// Properties: what comes out is a path (an authority) again, never longer; once more it changes nothing, so that everybody
// who looks at it sees the same; nothing is left that the options remove; the query is not touched.
#include <string>

#include "fuzz/require.h"
#include "http/rules.h"

namespace {

using namespace weir;
using namespace weir::http;
using weir::fuzz::require;

bool is_hex(std::string_view text, size_t at, char high, char low) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return at + 2 < text.size() && text[at] == '%' && lower(text[at + 1]) == high &&
         lower(text[at + 2]) == low;
}

bool has_escape(std::string_view text, char high, char low) {
  for (size_t i = 0; i < text.size(); ++i)
    if (is_hex(text, i, high, low)) return true;
  return false;
}

void check_segments(std::string_view path) {
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    require(segment != "." && segment != "..", "no dot segments");
    begin = end + 1;
  }
  require(path.find('\\') == std::string_view::npos, "no backslash, which some take for a slash");
  require(!has_escape(path, '2', 'e'), "no escaped dot");
}

void fuzz_path(std::string_view path, const PathOptions& options) {
  std::string out;
  const auto outcome = normalize_path(path, options, out);
  if (!outcome) return;
  if (*outcome == PathOutcome::kUnchanged) out = path;
  if (path == "*") return require(out == "*", "the asterisk form stays");
  require(!out.empty() && out.front() == '/', "a path starts with a slash");
  require(out.size() <= path.size(), "normalisation does not make a path longer");
  require(*outcome != PathOutcome::kChanged || out != path, "changed means changed");
  require(out.find('#') == std::string::npos, "no fragment");

  const size_t mark = path.find('?');
  const std::string_view query = mark == std::string_view::npos ? "" : path.substr(mark);
  require(out.ends_with(query), "the query stays as it is");
  const std::string_view done = std::string_view(out).substr(0, out.size() - query.size());
  require(done.find('?') == std::string_view::npos, "no query comes into being");
  require(!has_escape(done, '0', '0'), "no escaped NUL");
  if (options.normalize) check_segments(done);
  if (options.merge_slashes) require(done.find("//") == std::string_view::npos, "one slash");
  if (options.escaped_slashes != EscapedSlashes::kKeepUnchanged)
    require(!has_escape(done, '2', 'f') && !has_escape(done, '5', 'c'), "no escaped slash");
  if (options.escaped_slashes == EscapedSlashes::kRejectRequest ||
      options.escaped_slashes == EscapedSlashes::kKeepUnchanged)
    require(*outcome != PathOutcome::kRedirect, "a redirect is for unescaped slashes");

  std::string again;
  const auto second = normalize_path(out, options, again);
  require(second.has_value() && *second == PathOutcome::kUnchanged, "once is enough");
}

void fuzz_host(std::string_view authority, const HostOptions& options) {
  const std::string out = normalize_host(authority, options);
  require(out.size() <= authority.size(), "normalisation does not make a host longer");
  if (!valid_authority(authority)) return;  // the codec has refused it
  for (const char c : out) require(c < 'A' || c > 'Z', "lower case");
  require(valid_authority(out), "what was an authority stays one");
  const size_t behind = out.front() == '[' ? out.find(']') : 0;
  const size_t colon = out.find(':', behind);
  if (options.strip_any_port) require(colon == std::string::npos, "no port");
  if (options.strip_matching_port)
    require(colon == std::string::npos ||
                out.substr(colon + 1) != std::to_string(options.listener_port),
            "not the listener's port");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::fuzz::Input input(data, size);
  const uint8_t flags = input.byte();
  if ((flags & 1) == 0) {
    PathOptions options;
    options.normalize = (flags & 2) != 0;
    options.merge_slashes = (flags & 4) != 0;
    options.escaped_slashes = static_cast<EscapedSlashes>(flags >> 3 & 3);
    fuzz_path(input.rest(), options);
  } else {
    HostOptions options;
    options.strip_any_port = (flags & 2) != 0;
    options.strip_matching_port = (flags & 4) != 0;
    options.strip_trailing_dot = (flags & 8) != 0;
    options.listener_port = 80;
    fuzz_host(input.rest(), options);
  }
  return 0;
}
