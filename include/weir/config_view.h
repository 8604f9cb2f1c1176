// ConfigView: a message of the configuration, as the extension that owns it reads it.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// Reads one YAML mapping that has the JSON form of a protobuf message. Each read marks its field as
/// known; a field that nobody read is reported as unknown when the owner is done with the view. A wrong
/// type or value is reported with file, line, column and path, and the default is returned, so that one
/// pass finds all errors. Thread: main. Lifetime: only during the factory call.
class ConfigView {
 public:
  virtual ~ConfigView() = default;

  /// "static_resources.listeners[0]…": the path of this message.
  virtual std::string path() const = 0;
  virtual bool has(std::string_view field) const = 0;

  virtual std::string text(std::string_view field, std::string_view fallback = {}) = 0;
  virtual bool boolean(std::string_view field, bool fallback) = 0;
  virtual int64_t integer(std::string_view field, int64_t fallback, int64_t min, int64_t max) = 0;
  virtual double number(std::string_view field, double fallback) = 0;
  /// "1.5s" (protobuf JSON) and also "250ms", "2m", "1h". Negative values are errors.
  virtual std::chrono::nanoseconds duration(std::string_view field,
                                            std::chrono::nanoseconds fallback) = 0;
  virtual std::vector<std::string> texts(std::string_view field) = 0;
  /// One of `names`; returns its index, or `fallback` if the field is absent or wrong.
  virtual size_t enumeration(std::string_view field, const std::vector<std::string_view>& names,
                             size_t fallback) = 0;
  /// A nested message; null if absent. The child reports its own unknown fields when it dies.
  virtual std::unique_ptr<ConfigView> message(std::string_view field) = 0;
  virtual std::vector<std::unique_ptr<ConfigView>> messages(std::string_view field) = 0;
  /// Keys of a map field, in order of the file; use message()/text() of the map's own view.
  virtual std::vector<std::string> keys() const = 0;
  /// For google.protobuf.Any: the "@type" without "type.googleapis.com/"; empty if absent.
  virtual std::string type() = 0;
  /// The whole value of a field (any kind) as JSON text, with all of its fields taken as read.
  virtual std::optional<std::string> json(std::string_view field) = 0;
  /// A DataSource{filename|inline_string|inline_bytes|environment_variable}: its bytes. A file is read
  /// and from then on watched: a change reloads the configuration. Null if absent or in error.
  virtual std::optional<std::string> data_source(std::string_view field) = 0;

  /// Reports an error at the field (or at the message, if `field` is empty).
  virtual void error(std::string_view field, std::string_view message) = 0;
  /// Marks a field as not supported: reported if it is present.
  virtual void unsupported(std::string_view field, std::string_view why) = 0;
  /// True if this view or one below it has reported an error.
  virtual bool failed() const = 0;

  /// Reports, at the message, that the field is missing.
  void missing(std::string_view field);
  /// As text() and message(); the field is reported if it is absent (a text: or empty).
  std::string required_text(std::string_view field);
  std::unique_ptr<ConfigView> required_message(std::string_view field);
  /// The name among `fields` (a oneof) that is present; empty if none is. Reports a second one, and none if `required`.
  enum class Required : bool { kNo, kYes };
  std::string_view one_of(std::initializer_list<std::string_view> fields, Required required);
};

}  // namespace weir
