#include "base/json.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace weir::base {

void JsonWriter::before_value() {
  if (comma_) out_ += ',';
  comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  before_value();
  out_ += '{';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  before_value();
  out_ += '[';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  text(name);
  out_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
  before_value();
  out_ += '"';
  append_json_escaped(out_, value);
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::number(int64_t value) {
  before_value();
  append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::number(uint64_t value) {
  before_value();
  append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  before_value();
  char digits[32];
  // The shortest text that reads back as the same value.
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out_.append(digits, end.ptr);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) { return raw(value ? "true" : "false"); }

JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  before_value();
  out_ += json;
  return *this;
}

// The parser takes a NUL for the end of its input, whatever follows.
static bool has_nul(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

Result<std::string> json_pretty(std::string_view text) {
  if (has_nul(text)) return fail(Code::kInvalidArgument, Side::kLocal, "not JSON");
  const auto parsed = nlohmann::ordered_json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return fail(Code::kInvalidArgument, Side::kLocal, "not JSON");
  return parsed.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool json_valid(std::string_view text) { return !has_nul(text) && nlohmann::json::accept(text); }

}  // namespace weir::base
