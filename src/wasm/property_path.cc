// Paths of properties, and the node's.
#include <utility>

#include "base/strings.h"
#include "wasm/property.h"

namespace weir::wasm {

NodeProperty::NodeProperty(NodeInfo from) : info(std::move(from)) {
  if (auto parsed = StructValue::parse(info.metadata_json)) metadata = std::move(*parsed);
  make_message();
}

NodeProperty::NodeProperty(NodeInfo from, StructValue metadata_of)
    : info(std::move(from)), metadata(std::move(metadata_of)) {
  make_message();
}

void NodeProperty::make_message() {
  append_proto_field(message, 1, info.id);
  append_proto_field(message, 2, info.cluster);
  append_proto_field(message, 3, metadata.message());
  std::string locality;
  append_proto_field(locality, 1, info.region);
  append_proto_field(locality, 2, info.zone);
  append_proto_field(locality, 3, info.sub_zone);
  append_proto_field(message, 4, locality);
}

PropertyPath::PropertyPath(std::string_view path) : whole_(path) {
  if (whole_.ends_with('\0')) whole_.remove_suffix(1);
  parts_ = base::split(whole_, '\0');
}

std::string filter_state_key(std::string_view path) { return base::concat("wasm.", path); }

}  // namespace weir::wasm
