// What nghttp2 allocates for streams and frames.
#pragma once

#include <nghttp2/nghttp2.h>

namespace weir::http::h2 {

/// Keeps small blocks of this thread for the next frame: nghttp2 takes and gives back about a dozen for each exchange. What is kept
/// is bounded; a block may be freed by another thread than the one that took it. Null in
/// builds with a sanitizer: malloc.
nghttp2_mem* thread_memory() noexcept;

}  // namespace weir::http::h2
