// Resources of the discovery services that stand in files: `{version_info, resources: [{"@type": …}]}`, as YAML or JSON.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/loading.h"

namespace weir::config {

/// The resources of the file that the ConfigSource in `field` names. Each must be of `type`. A resource that is not for the
/// caller is passed to skip_resource(). Errors of the file bear its name, and the path of the ConfigSource before their own.
/// Without a file, after an error: none.
std::vector<std::unique_ptr<View>> read_resources(View& parent, std::string_view field,
                                                  std::string_view type, Loading& loading);
/// One that somebody else reads, or nobody: what is in it is not looked at.
void skip_resource(View& resource);
/// The resource of `name`, the value of its `name_field`; null, with an error at `field`, if there is none. What the part that is
/// being read means depends on it alone, and not on the rest of its file.
std::unique_ptr<View> find_resource(View& parent, std::string_view field, std::string_view type,
                                    std::string_view name_field, const std::string& name,
                                    Loading& loading);

}  // namespace weir::config
