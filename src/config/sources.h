// Sources: what a configuration takes from outside its text: files and environment variables.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/result.h>

namespace weir::config {

inline constexpr size_t kMaxSourceBytes = 128u << 20;

/// Owner: one load. A file is read once however often it is named, so that one configuration never sees two versions
/// of it. Everything asked for is recorded, also what could not be read: its appearance is a change too.
class Sources {
 public:
  /// The bytes live as long as this object.
  Result<std::string_view> read(const std::string& path);
  /// Null if the variable is not set.
  std::optional<std::string> environment(const std::string& name);
  /// As read(); the caller says with note() what of it the part depends on.
  Result<std::string_view> read_apart(const std::string& path);
  /// The part that is being read depends on something of this digest.
  void note(const std::string& name, std::string digest) { uses_[name] = std::move(digest); }
  /// A file that the caller reads itself.
  void record(const std::string& path);
  const std::vector<std::string>& files() const noexcept { return files_; }

  /// From here on uses() gathers anew.
  void start_uses() { uses_.clear(); }
  using Uses = std::map<std::string, std::string>;
  /// What was gathered so far, which starts anew / comes to what is gathered now.
  Uses take_uses() { return std::exchange(uses_, {}); }
  void add_uses(Uses&& uses) { uses_.merge(uses); }
  /// `{"file:a.wasm":"<sha256>"}`: equal text, equal contents. Empty if nothing was used.
  std::string uses_json() const;

 private:
  struct File {
    Result<std::string> bytes;
    std::string digest;
  };
  std::map<std::string, File> contents_;
  std::vector<std::string> files_;  // in order of first mention
  Uses uses_;                       // "file:<name>" or "environment:<name>" -> digest
};

}  // namespace weir::config
