// PropertyValue: a property with its type, as those who read it make it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <weir/stream_info.h>

#include "base/struct_value.h"
#include "wasm/enums.h"

namespace weir::wasm {

class PropertyPath;
class Vm;

enum class PropertyType : uint8_t {
  kText,
  kBytes,
  kInt,
  kUint,
  kDouble,
  kBool,
  kDuration,
  kTimestamp,
  kMap,      // pairs of texts
  kStruct,   // a struct or a list: `tree` instead of `bytes`
  kMessage,  // protobuf
};

struct PropertyValue {
  PropertyType type = PropertyType::kText;
  std::string bytes;  // as a guest gets it
  base::StructValue tree;

  Status put(PropertyType as, std::string_view value) {
    type = as;
    bytes = value;
    return Status::kOk;
  }
  template <typename T>
  Status put_raw(PropertyType as, T value) {
    return put(as, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  Status put_struct(const base::StructValue& value);
  /// What a guest gets.
  std::string take() {
    return type == PropertyType::kStruct ? tree.message() : std::exchange(bytes, {});
  }
};

/// Descends into a value from the segment `at` on.
Status read_struct(const base::StructValue& root, const PropertyPath& path, size_t at,
                   PropertyValue& out);

/// What the configuration says of listener, route, cluster and host: their metadata, and where the host is. `known` tells whether
/// the path is one of these.
Status read_configured(Vm& vm, const StreamInfo& info, const PropertyPath& path, PropertyValue& out,
                       bool& known);

}  // namespace weir::wasm
