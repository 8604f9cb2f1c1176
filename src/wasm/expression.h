// Expressions of the Common Expression Language over properties: what the foreign functions expr_create, expr_evaluate and
// expr_delete keep and do. The language is in cel/: Debian 12 has no library of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <weir/result.h>

#include "wasm/enums.h"

namespace weir::wasm {

class Vm;
namespace cel {
struct Node;
}

/// Those of one plugin. Owner: its RootContext.
class Expressions {
 public:
  // Of one plugin in one VM.
  static constexpr size_t kMaxCount = 1024;
  static constexpr size_t kMaxBytes = 4 * 1024 * 1024;  // of their sources and trees
  static constexpr size_t kMaxPatterns = 256;           // compiled, with caches of their own

  Expressions() noexcept;
  ~Expressions();
  Expressions(const Expressions&) = delete;
  Expressions& operator=(const Expressions&) = delete;

  /// Its token. Errors (kInvalidArgument): what cannot be read of it, or that there are too many.
  Result<uint32_t> add(std::string_view source);
  /// Null: there is none.
  const cel::Node* find(uint32_t token) const noexcept;
  void remove(uint32_t token) noexcept;

 private:
  struct Entry {
    std::unique_ptr<const cel::Node> tree;
    size_t bytes;
    size_t patterns;
  };
  std::map<uint32_t, Entry> all_;
  uint32_t next_ = 0;
  size_t bytes_ = 0;
  size_t patterns_ = 0;
};

/// Over the properties that the guest may read now. kInternalFailure: there is no value. kSerializationFailure: it is null, or
/// above 1 MiB.
Status evaluate(Vm& vm, const cel::Node& expression, std::string& out);

}  // namespace weir::wasm
