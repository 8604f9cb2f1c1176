// What the parsers report: cheap to make, turned into an Error at the edge of the codec.
#pragma once

#include <weir/result.h>

namespace weir::http {

/// A parse error, or nothing. `what` is a literal.
struct Fault {
  Code code = Code::kProtocol;
  const char* what = nullptr;
  explicit operator bool() const noexcept { return what != nullptr; }
};

constexpr Fault kNoFault{};
constexpr Fault malformed(const char* what) noexcept { return Fault{Code::kProtocol, what}; }

}  // namespace weir::http
