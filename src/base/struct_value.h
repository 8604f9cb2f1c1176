// StructValue: a google.protobuf.Struct, read from JSON and written in protobuf's wire form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/result.h>

namespace weir::base {

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
  /// Of a list: without names.
  const std::vector<std::pair<std::string, StructValue>>& members() const noexcept {
    return members_;
  }
  bool operator==(const StructValue& other) const noexcept {
    return kind_ == other.kind_ && number_ == other.number_ && text_ == other.text_ &&
           members_ == other.members_;
  }
  /// A google.protobuf.Struct or ListValue; what is neither gives nothing.
  std::string message() const;

  enum class Prune : uint8_t { kKeep, kDrop, kMask };
  /// Asks `what(path)` for each value below that holds no others; a path is `path` and the names on the way, joined by '.'. A
  /// masked value becomes a text. Of a list's items those that are dropped become null, so that the others keep their place;
  /// a struct of which nothing is left is dropped too.
  template <typename What>
  void prune(const std::string& path, const What& what);

 private:
  class Parser;
  void append_value(std::string& out) const;  // as google.protobuf.Value

  Kind kind_ = Kind::kNull;
  double number_ = 0;
  std::string text_;
  std::vector<std::pair<std::string, StructValue>> members_;  // of a list: without names
};

template <typename What>
void StructValue::prune(const std::string& path, const What& what) {
  const bool list = kind_ == Kind::kList;
  std::vector<std::pair<std::string, StructValue>> left;
  for (auto& [name, member] : members_) {
    const std::string below = path + '.' + (list ? std::to_string(left.size()) : name);
    const bool held_others = !member.members_.empty();
    Prune answer = Prune::kKeep;
    if (held_others) {
      member.prune(below, what);
      if (member.members_.empty()) answer = Prune::kDrop;
    } else {
      answer = what(below);
    }
    if (answer != Prune::kKeep) {
      if (answer == Prune::kDrop && !list) continue;
      member = StructValue();
      if (answer == Prune::kMask) {
        member.kind_ = Kind::kText;
        member.text_ = "***";
      }
    }
    left.emplace_back(std::move(name), std::move(member));
  }
  members_ = std::move(left);
}

/// Appends a length-delimited protobuf field.
void append_proto_field(std::string& out, unsigned field, std::string_view bytes);

}  // namespace weir::base
