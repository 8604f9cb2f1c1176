// The `metadata` field of listeners, routes, clusters and endpoints.
#pragma once

#include "base/metadata.h"
#include "config/view.h"

namespace weir::config {

/// The field "metadata" of a message. typed_filter_metadata is accepted and left out.
base::MetadataPtr read_metadata(View& view);

}  // namespace weir::config
