// JsonWriter: builds JSON text piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <weir/result.h>

namespace weir::base {

/// Appends to a string of the caller's. Commas come by themselves; opens and closes must balance. Texts that
/// are not UTF-8 are repaired (U+FFFD), numbers that JSON lacks (NaN, infinities) become null.
///   JsonWriter json(out);  json.begin_object().key("a").number(1).key("b").begin_array().end_array().end_object();
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& number(int64_t value);
  JsonWriter& number(uint64_t value);
  JsonWriter& number(int value) { return number(static_cast<int64_t>(value)); }
  JsonWriter& number(unsigned value) { return number(static_cast<uint64_t>(value)); }
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  /// A value that is JSON already.
  JsonWriter& raw(std::string_view json);

 private:
  void before_value();
  std::string& out_;
  bool comma_ = false;  // the next element needs a comma before it
};

/// Checks that `text` is one JSON value and writes it again with two-space indentation. Errors: kInvalidArgument.
Result<std::string> json_pretty(std::string_view text);
/// Whether the text is exactly one JSON value.
bool json_valid(std::string_view text);

}  // namespace weir::base
