// ModuleCache: fetched modules on disk, by digest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <weir/result.h>

#include "wasm/plugin.h"

namespace weir::wasm {

/// Several processes may share a folder: a file appears whole, by rename, and is never written again. What is read is not
/// trusted: the name says which digest it has to have. Owner: the ModuleStore. Thread: main.
class ModuleCache {
 public:
  /// Empty: there is no cache.
  explicit ModuleCache(std::string folder) : folder_(std::move(folder)) {}
  bool used() const noexcept { return !folder_.empty(); }
  std::string path(const Key& digest) const { return folder_ + "/" + digest.hex() + ".wasm"; }
  /// Nothing: not there, or not what its name says; such a file is removed. Error: what is there may not be looked at.
  Result<std::optional<std::string>> read(const Key& digest) const;
  /// Makes the folder if it has to.
  Result<void> write(const Key& digest, std::string_view bytes) const;

 private:
  const std::string folder_;
};

}  // namespace weir::wasm
