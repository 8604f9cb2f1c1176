// Sources: what a configuration takes from outside its text: files and environment variables.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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
  /// A file that the caller reads itself.
  void record(const std::string& path);
  const std::vector<std::string>& files() const noexcept { return files_; }

  /// From here on uses() gathers anew.
  void start_uses() { uses_.clear(); }
  /// `{"file:a.wasm":"<sha256>"}`: equal text, equal contents. Empty if nothing was used.
  std::string uses_json() const;

 private:
  struct File {
    Result<std::string> bytes;
    std::string digest;
  };
  std::map<std::string, File> contents_;
  std::vector<std::string> files_;           // in order of first mention
  std::map<std::string, std::string> uses_;  // "file:<name>" or "environment:<name>" -> digest
};

}  // namespace weir::config
