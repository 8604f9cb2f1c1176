// Properties: what guests ask about a stream, the node and themselves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/metadata.h"
#include "base/struct_value.h"
#include "wasm/enums.h"
#include "wasm/host.h"

namespace weir::wasm {

class Vm;
struct PropertyValue;
using base::append_proto_field;
using base::StructValue;

/// The node in the forms that guests read. Immutable.
struct NodeProperty {
  NodeInfo info;
  StructValue metadata;
  std::string message;  // envoy.config.core.v3.Node
  explicit NodeProperty(NodeInfo from);
  NodeProperty(NodeInfo from, StructValue metadata_of);

 private:
  void make_message();
};

/// Segments of a path are joined by NUL; one empty segment at the end is a terminator that some SDKs send.
class PropertyPath {
 public:
  explicit PropertyPath(std::string_view path);
  std::string_view at(size_t i) const noexcept {
    return i < parts_.size() ? parts_[i] : std::string_view();
  }
  size_t size() const noexcept { return parts_.size(); }
  /// Without the terminator: the key of what set_property stores.
  std::string_view whole() const noexcept { return whole_; }

 private:
  std::string_view whole_;
  std::vector<std::string_view> parts_;
};

/// kOk, kNotFound or kSerializationFailure. Texts are raw, numbers 8 bytes, truth values 1 byte, maps are pairs.
Status read_property(Vm& vm, const PropertyPath& path, std::string& out);
/// Likewise, with its type.
Status read_property(Vm& vm, const PropertyPath& path, PropertyValue& out);

/// Key of a guest's property in the filter state of a stream.
std::string filter_state_key(std::string_view path);

}  // namespace weir::wasm
