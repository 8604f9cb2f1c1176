// Texts made of named parts, cookies and query parameters, as guests see and write them under privacy.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wasm/privacy/privacy.h"

namespace weir::wasm {

/// How a text is cut into parts.
struct PartGrammar {
  char separator;
  std::string_view glue;  // what is put between parts
  bool spaces;            // there may be some around parts, names and values, which mean nothing
  Sight (*sight)(const Privacy& privacy, std::string_view name);
};
extern const PartGrammar kCookieParts, kParameterParts;

struct NamedPart {
  std::string_view text, name;
  std::optional<std::string_view> value;  // null: there is no '='
};
NamedPart part_of(std::string_view text, const PartGrammar& grammar);

/// Null: everything is hidden.
std::optional<std::string> seen_parts(const Privacy& privacy, const PartGrammar& grammar,
                                      std::string_view text);

/// What stood behind masks. Several of one name are in the same order for the guest.
class MaskedTexts {
 public:
  void add(std::string_view name, std::string_view text) { texts_.emplace(name, text); }
  std::optional<std::string_view> take(std::string_view name);

 private:
  std::multimap<std::string_view, std::string_view> texts_;
};

/// What the guest's texts come to in the place of `originals`, which outlive it.
class PartsWriter {
 public:
  PartsWriter(const Privacy& privacy, const PartGrammar& grammar,
              const std::vector<std::string_view>& originals);
  /// Null: nothing of it is left.
  std::optional<std::string> write(std::string_view given);
  /// Puts what is hidden behind `text`, once.
  void add_hidden(std::string& text);
  bool has_hidden() const noexcept { return !hidden_.empty(); }
  /// Something was left out.
  bool refused() const noexcept { return refused_; }

 private:
  const Privacy& privacy_;
  const PartGrammar& grammar_;
  std::vector<std::string_view> hidden_;
  MaskedTexts masked_;
  bool refused_ = false;
};

}  // namespace weir::wasm
