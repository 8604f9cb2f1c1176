#include "base/metadata.h"

namespace weir::base {

std::string metadata_message(const StructValue& filter_metadata) {
  std::string out;
  for (const auto& [name, value] : filter_metadata.members()) {
    if (value.kind() != StructValue::Kind::kStruct) continue;
    std::string entry;  // of map<string, Struct>: {1: key, 2: value}
    append_proto_field(entry, 1, name);
    append_proto_field(entry, 2, value.message());
    append_proto_field(out, 1, entry);
  }
  return out;
}

}  // namespace weir::base
