#include "base/regex.h"

#include <re2/re2.h>
#include <weir/config_view.h>

#include "base/strings.h"

namespace weir::base {

Result<Regex> Regex::compile(std::string_view pattern, int max_program_size) {
  return compile(pattern, max_program_size, re2::RE2::Options::kDefaultMaxMem);
}

Result<Regex> Regex::compile_small(std::string_view pattern) {
  constexpr int kMaxProgram = 500;
  constexpr int64_t kMaxMemory = 256 * 1024;
  return compile(pattern, kMaxProgram, kMaxMemory);
}

Result<Regex> Regex::compile(std::string_view pattern, int max_program_size, int64_t max_memory) {
  re2::RE2::Options options;
  options.set_max_mem(max_memory);
  options.set_log_errors(false);
  auto re =
      std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!re->ok()) {
    return fail(Code::kConfig, Side::kLocal,
                concat("invalid regex \"", pattern, "\": ", re->error()));
  }
  if (re->ProgramSize() > max_program_size) {
    return fail(Code::kConfig, Side::kLocal,
                concat("regex \"", pattern, "\" has a program size of ", re->ProgramSize(),
                       ", more than ", max_program_size));
  }
  return Regex(std::move(re));
}

std::optional<Regex> Regex::read(ConfigView& parent, std::string_view field) {
  auto matcher = parent.message(field);
  if (!matcher) return std::nullopt;
  matcher->json("google_re2");  // deprecated, says nothing
  const std::string pattern = matcher->required_text("regex");
  if (pattern.empty()) return std::nullopt;
  auto regex = compile(pattern);
  if (regex) return std::move(*regex);
  matcher->error("regex", regex.error().detail);
  return std::nullopt;
}

int Regex::program_size() const { return re_->ProgramSize(); }

bool Regex::full_match(std::string_view text) const {
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *re_);
}

bool Regex::partial_match(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *re_);
}

bool Regex::replace(std::string& text, std::string_view rewrite, bool all) const {
  const re2::StringPiece piece(rewrite.data(), rewrite.size());
  return all ? re2::RE2::GlobalReplace(&text, *re_, piece) > 0
             : re2::RE2::Replace(&text, *re_, piece);
}

std::string Regex::replace_all(std::string_view text, std::string_view rewrite) const {
  std::string out(text);
  replace(out, rewrite, true);
  return out;
}

const std::string& Regex::pattern() const noexcept { return re_->pattern(); }

}  // namespace weir::base
