// Reader of the bootstrap: the whole file.
#pragma once

#include "config/loading.h"

namespace weir::config {

/// Fills everything but `files`. Worthless if an error was reported.
void read_bootstrap(const Node& root, Loading& loading, Configuration& out);

}  // namespace weir::config
