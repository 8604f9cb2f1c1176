// Metadata: what a part of the configuration says about itself for others to read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/struct_value.h"

namespace weir {

/// A core.v3.Metadata, of which only `filter_metadata` is kept. Immutable.
class Metadata {
 public:
  /// Requires: a struct of structs, by namespace.
  explicit Metadata(base::StructValue filter_metadata)
      : filter_metadata_(std::move(filter_metadata)) {}
  const base::StructValue& filter_metadata() const noexcept { return filter_metadata_; }
  bool operator==(const Metadata& other) const noexcept = default;

 private:
  base::StructValue filter_metadata_;
};

namespace base {

/// A core.v3.Metadata in protobuf's wire form. Namespaces that are no structs are left out.
std::string metadata_message(const StructValue& filter_metadata);

/// One that options hold: equal when the contents are. Null: there is none.
struct MetadataPtr {
  std::shared_ptr<const Metadata> value;
  const Metadata* get() const noexcept { return value.get(); }
  bool operator==(const MetadataPtr& other) const noexcept {
    if (value == nullptr || other.value == nullptr) return value == other.value;
    return value == other.value || *value == *other.value;
  }
};

}  // namespace base
}  // namespace weir
