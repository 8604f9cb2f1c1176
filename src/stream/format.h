// Format: access-log operators ("%RESPONSE_CODE%" …) compiled once, rendered per stream. Also used for header
// values in routes, local reply bodies and json_format.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/message.h>
#include <weir/result.h>
#include <weir/stream_info.h>

namespace weir {
class FilterCallbacks;
}

namespace weir::stream {

struct FormatContext {
  const StreamInfo& info;
  const RequestHead* request = nullptr;
  const ResponseHead* response = nullptr;
  const HeaderMap* response_trailers = nullptr;
  MonotonicTime now{};
  std::string_view log_type{};  // %ACCESS_LOG_TYPE% of a connection; empty: of a stream
  const HeaderMap* request_trailers = nullptr;
};
/// Of a filter's stream, at this moment.
FormatContext context_of(FilterCallbacks& stream);

/// What one value of a json_format renders to.
enum class ValueKind : uint8_t { kText, kNumber, kAbsent };

class Format {
 public:
  /// Error: an unknown operator, a bad argument, an unclosed "%"; detail names it with its offset.
  static Result<Format> compile(std::string_view text);
  Format();
  Format(Format&&) noexcept;
  Format& operator=(Format&&) noexcept;
  ~Format();
  /// Appends the text; an absent value is "-" (or nothing with omit_empty). Control characters and quotes of
  /// values are escaped when `escape` is set (access logs: one line per stream whatever a client sends).
  enum class Escape : bool { kNo, kYes };
  void append(const FormatContext& context, std::string& out, Escape escape,
              bool omit_empty = false) const;
  /// The text when there is no operator in it; null otherwise.
  std::optional<std::string_view> constant() const noexcept;
  const std::string& source() const noexcept;
  /// For json_format: exactly one operator keeps its type.
  ValueKind single_value(const FormatContext& context, std::string& out) const;

 private:
  struct Part;
  std::string source_;
  std::vector<Part> parts_;
};

/// A json_format: nested objects and lists whose leaves are Formats.
class JsonFormat {
 public:
  /// `json` is the configuration's struct as JSON text.
  static Result<JsonFormat> compile(std::string_view json, bool sort_properties);
  JsonFormat();
  JsonFormat(JsonFormat&&) noexcept;
  JsonFormat& operator=(JsonFormat&&) noexcept;
  ~JsonFormat();
  void append(const FormatContext& context, std::string& out,
              bool omit_empty) const;  // one line, no newline

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

/// Envoy's default access-log line, newline included.
const Format& default_access_log_format();

}  // namespace weir::stream
