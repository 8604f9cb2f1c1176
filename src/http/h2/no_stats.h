// Stats that count nothing, for connections without any.
#pragma once

#include "http/h2/h2.h"

namespace weir::http::h2 {

const Stats& no_stats();

}  // namespace weir::http::h2
