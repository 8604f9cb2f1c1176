#include "admin/backend.h"

namespace weir::admin {

std::string_view state_name(Backend::State state) noexcept {
  switch (state) {
    case Backend::State::kLive:
      return "LIVE";
    case Backend::State::kPreInitializing:
      return "PRE_INITIALIZING";
    case Backend::State::kInitializing:
      return "INITIALIZING";
    case Backend::State::kDraining:
      return "DRAINING";
  }
  return "";
}

}  // namespace weir::admin
