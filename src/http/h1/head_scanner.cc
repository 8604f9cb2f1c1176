#include "http/h1/head_scanner.h"

#include <cstring>

namespace weir::http::h1 {

HeadScanner::Found HeadScanner::scan_run(std::string_view run) noexcept {
  if (run.empty()) return Found::kNothing;
  const char* const begin = run.data();
  const char* const stop = begin + run.size();
  for (const char* p = begin; p != stop; ++p) {
    p = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(stop - p)));
    if (p == nullptr) break;
    if ((p == begin ? last_ : p[-1]) != '\r') return Found::kBareLf;
    const size_t at = scanned_ + static_cast<size_t>(p - begin);  // of the LF
    const size_t length = at - 1 - line_begin_;
    if (length == 0) {
      end_ = at + 1;
      return Found::kEnd;
    }
    if (line_begin_ == 0) first_line_ = length;
    line_begin_ = at + 1;
  }
  last_ = run.back();
  scanned_ += run.size();
  return Found::kNothing;
}

HeadScanner::Found HeadScanner::scan(const Buffer& in) {
  const std::string_view front = in.front();
  if (scanned_ < front.size()) {
    const Found found = scan_run(front.substr(scanned_));
    if (found != Found::kNothing) return found;
  }
  if (in.size() == front.size()) return Found::kNothing;
  size_t offset = 0;
  Found found = Found::kNothing;
  in.for_each_slice([this, &offset, &found](std::string_view slice) {
    if (found == Found::kNothing && offset + slice.size() > scanned_)
      found = scan_run(slice.substr(scanned_ - offset));
    offset += slice.size();
  });
  return found;
}

}  // namespace weir::http::h1
