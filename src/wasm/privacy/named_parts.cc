#include "wasm/privacy/named_parts.h"

#include <utility>

#include "base/strings.h"

namespace weir::wasm {

const PartGrammar kCookieParts{';', "; ", true, [](const Privacy& privacy, std::string_view name) {
                                 return privacy.cookie(name);
                               }};
const PartGrammar kParameterParts{
    '&', "&", false,
    [](const Privacy& privacy, std::string_view name) { return privacy.query_parameter(name); }};

namespace {

template <typename Visitor>
void for_each_part(std::string_view text, const PartGrammar& grammar, Visitor&& visit) {
  for (;;) {
    const size_t end = text.find(grammar.separator);
    visit(part_of(text.substr(0, end), grammar));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

class Joined {
 public:
  explicit Joined(std::string_view glue) : glue_(glue) {}
  template <typename... Texts>
  void add(const Texts&... texts) {
    if (!std::exchange(first_, false)) text_ += glue_;
    base::append_all(text_, texts...);
  }
  /// Null: nothing was added.
  std::optional<std::string> take() {
    return first_ ? std::nullopt : std::optional(std::move(text_));
  }

 private:
  std::string_view glue_;
  std::string text_;
  bool first_ = true;
};

}  // namespace

NamedPart part_of(std::string_view text, const PartGrammar& grammar) {
  if (grammar.spaces) text = base::trim(text);
  NamedPart part{text, text, std::nullopt};
  const size_t at = text.find('=');
  if (at == std::string_view::npos) return part;
  part.name = text.substr(0, at);
  part.value = text.substr(at + 1);
  if (!grammar.spaces) return part;
  part.name = base::trim(part.name);
  part.value = base::trim(*part.value);
  return part;
}

std::optional<std::string> seen_parts(const Privacy& privacy, const PartGrammar& grammar,
                                      std::string_view text) {
  if (text.empty()) return std::string();
  Joined seen(grammar.glue);
  bool whole = true;
  for_each_part(text, grammar, [&privacy, &grammar, &seen, &whole](const NamedPart& part) {
    Sight sight = grammar.sight(privacy, part.name);
    if (sight == Sight::kMasked && !part.value) sight = Sight::kShown;
    whole = whole && sight == Sight::kShown;
    if (sight == Sight::kMasked) seen.add(part.name, '=', kMask);
    if (sight == Sight::kShown) seen.add(part.text);
  });
  // As it is, spaces included.
  return whole ? std::string(text) : seen.take();
}

std::optional<std::string_view> MaskedTexts::take(std::string_view name) {
  const auto found = texts_.lower_bound(name);
  if (found == texts_.end() || found->first != name) return std::nullopt;
  const std::string_view text = found->second;
  texts_.erase(found);
  return text;
}

PartsWriter::PartsWriter(const Privacy& privacy, const PartGrammar& grammar,
                         const std::vector<std::string_view>& originals)
    : privacy_(privacy), grammar_(grammar) {
  for (const std::string_view text : originals) {
    if (text.empty()) continue;
    for_each_part(text, grammar_, [this](const NamedPart& part) {
      const Sight sight = grammar_.sight(privacy_, part.name);
      if (sight == Sight::kHidden) hidden_.push_back(part.text);
      if (sight == Sight::kMasked && part.value) masked_.add(part.name, part.text);
    });
  }
}

std::optional<std::string> PartsWriter::write(std::string_view given) {
  if (given.empty()) return std::string();
  Joined out(grammar_.glue);
  for_each_part(given, grammar_, [this, &out](const NamedPart& part) {
    const Sight sight = grammar_.sight(privacy_, part.name);
    if (sight == Sight::kHidden) {
      refused_ = true;
      return;
    }
    std::string_view text = part.text;
    if (sight == Sight::kMasked && part.value == kMask)
      text = masked_.take(part.name).value_or(text);
    out.add(text);
  });
  return out.take();
}

void PartsWriter::add_hidden(std::string& text) {
  for (const std::string_view part : std::exchange(hidden_, {})) {
    if (!text.empty()) text += grammar_.glue;
    text += part;
  }
}

}  // namespace weir::wasm
