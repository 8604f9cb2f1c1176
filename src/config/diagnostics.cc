#include "config/diagnostics.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::config {
namespace {

// A longer name is no typing error of a field's name; the distance costs the product of the lengths.
constexpr size_t kLongestName = 160;

// The letters alone, in order of the alphabet: equal for names that differ in case, separators or swapped letters.
std::string letters_of(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c != '_' && c != '-') out += base::to_lower(c);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string_view closest(std::string_view wrong, const std::vector<std::string_view>& candidates) {
  if (wrong.size() > kLongestName) return {};
  const std::string_view near = base::closest(wrong, candidates);
  if (!near.empty()) return near;
  const std::string letters = letters_of(wrong);
  for (std::string_view candidate : candidates) {
    if (letters_of(candidate) == letters) return candidate;
  }
  return {};
}

}  // namespace

bool lies_below(std::string_view path, std::string_view root) {
  if (root.empty()) return true;
  if (path.substr(0, root.size()) != root) return false;
  return path.size() == root.size() || path[root.size()] == '.' || path[root.size()] == '[';
}

std::string Diagnostic::to_string() const {
  std::string out = file;
  if (line != 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  out += ": ";
  if (!path.empty()) out += path + ": ";
  return out + message;
}

Diagnostic Configuration::diagnose(std::string_view path, std::string message) const {
  const Place* innermost = nullptr;
  for (const Place& place : places) {
    if (lies_below(path, place.path) &&
        (innermost == nullptr || place.path.size() > innermost->path.size()))
      innermost = &place;
  }
  Diagnostic out{files.empty() ? std::string() : files.front(), 0, 0, std::string(path),
                 std::move(message)};
  if (innermost != nullptr) {
    out.file = innermost->file;
    out.line = innermost->line;
    out.column = innermost->column;
  }
  return out;
}

uint16_t Diagnostics::add_file(std::string name) {
  files_.push_back(std::move(name));
  return static_cast<uint16_t>(files_.size() - 1);
}

void Diagnostics::add(Mark mark, std::string_view path, std::string message) {
  if (found_.size() >= kMax) {
    ++dropped_;
    return;
  }
  found_.push_back({mark, std::string(path), std::move(message)});
}

bool Diagnostics::any_below(std::string_view path, size_t since) const {
  if (dropped_ > 0) return true;
  return std::any_of(found_.begin() + static_cast<ptrdiff_t>(std::min(since, found_.size())),
                     found_.end(),
                     [path](const Found& found) { return lies_below(found.path, path); });
}

std::vector<Diagnostic> Diagnostics::take() {
  std::stable_sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
    return std::tie(a.mark.file, a.mark.line, a.mark.column) <
           std::tie(b.mark.file, b.mark.line, b.mark.column);
  });
  std::vector<Diagnostic> out;
  for (Found& found : found_) {
    Diagnostic next{files_.empty() ? std::string() : files_[found.mark.file], found.mark.line,
                    found.mark.column, std::move(found.path), std::move(found.message)};
    const bool repeated = !out.empty() && out.back().line == next.line &&
                          out.back().column == next.column && out.back().path == next.path &&
                          out.back().message == next.message;
    if (!repeated) out.push_back(std::move(next));
  }
  if (dropped_ > 0) {
    out.push_back({files_.front(), 0, 0, {}, "and " + std::to_string(dropped_) + " more errors"});
  }
  found_.clear();
  dropped_ = 0;
  return out;
}

std::string suggestion(std::string_view wrong, const std::vector<std::string_view>& candidates) {
  const std::string_view best = closest(wrong, candidates);
  return best.empty() ? std::string() : " (did you mean " + quote(best) + "?)";
}

}  // namespace weir::config
