// view_of: the options of one message as a ConfigView, without a configuration round them. For tests of filters.
#pragma once

#include <memory>
#include <string>
#include <vector>
#include <weir/config_view.h>

#include "config/loader.h"

namespace weir::config {

/// The ConfigView of a YAML text. What is wrong, also the fields that nobody has read, is added to `diagnostics` when the view
/// dies; the file's name in them is "test.yaml".
std::unique_ptr<ConfigView> view_of(const std::string& yaml, std::vector<Diagnostic>& diagnostics);

}  // namespace weir::config
