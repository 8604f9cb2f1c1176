#include "config/metadata.h"

#include <utility>

#include "config/json_text.h"

namespace weir::config {

base::MetadataPtr read_metadata(View& view) {
  auto metadata = view.child("metadata");
  if (metadata == nullptr) return {};
  metadata->ignore({"typed_filter_metadata"});
  auto namespaces = metadata->child("filter_metadata");
  if (namespaces == nullptr) return {};
  for (const std::string& name : namespaces->keys()) {
    auto values = namespaces->child(name);
    if (values == nullptr) continue;
    for (const std::string& key : values->keys()) values->ignore({key});
  }
  auto parsed = base::StructValue::parse(canonical_json(namespaces->node()));
  if (parsed) return {std::make_shared<const Metadata>(std::move(*parsed))};
  namespaces->error({}, "it is nested too deep");
  return {};
}

}  // namespace weir::config
