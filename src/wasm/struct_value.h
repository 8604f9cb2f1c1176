// StructValue: a google.protobuf.Struct, read from JSON and written in protobuf's wire form.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/result.h>

namespace weir::wasm {

class StructValue {
 public:
  enum class Kind : uint8_t { kNull, kBool, kNumber, kText, kStruct, kList };
  /// Error (kInvalidArgument): not one JSON value, or nested too deep.
  static Result<StructValue> parse(std::string_view json);

  Kind kind() const noexcept { return kind_; }
  bool boolean() const noexcept { return number_ != 0; }
  double number() const noexcept { return number_; }
  const std::string& text() const noexcept { return text_; }
  /// A field of a struct, or an item of a list by its decimal index; null if there is none.
  const StructValue* find(std::string_view name) const noexcept;
  /// A google.protobuf.Struct or ListValue; what is neither gives nothing.
  std::string message() const;

 private:
  class Parser;
  void append_value(std::string& out) const;  // as google.protobuf.Value

  Kind kind_ = Kind::kNull;
  double number_ = 0;
  std::string text_;
  std::vector<std::pair<std::string, StructValue>> members_;  // of a list: without names
};

/// Appends a length-delimited protobuf field.
void append_proto_field(std::string& out, unsigned field, std::string_view bytes);

}  // namespace weir::wasm
