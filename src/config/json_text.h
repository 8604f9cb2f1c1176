// JSON texts of nodes: canonical for comparison, redacted for people.
#pragma once

#include <string>
#include <string_view>

#include "config/yaml_tree.h"

namespace weir::config {

/// One line, keys sorted, plain scalars typed as JSON sees them (true, null, 1.5), the rest as strings.
std::string canonical_json(const Node& node);
/// As canonical_json, with the values of secrets replaced by "[redacted]", also inside strings that hold JSON.
std::string redacted_json(const Node& node);
/// As canonical_json, without what Wasm filters are made of: two that are equal differ in plugins at most.
std::string frame_json(const Node& node);
void append_json_string(std::string_view text, std::string& out);

}  // namespace weir::config
