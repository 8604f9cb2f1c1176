#include "proxy/log_filter.h"

#include "base/random.h"

namespace weir::proxy {

namespace {

bool compare(LogFilter::Compare how, uint64_t left, uint64_t right) noexcept {
  switch (how) {
    case LogFilter::Compare::kEq:
      return left == right;
    case LogFilter::Compare::kGe:
      return left >= right;
    case LogFilter::Compare::kLe:
      return left <= right;
    case LogFilter::Compare::kNe:
      return left != right;
  }
  return false;
}

uint64_t duration_ms(const stream::FormatContext& context) noexcept {
  const MonotonicTime end = context.info.end != MonotonicTime{} ? context.info.end : context.now;
  if (end < context.info.start) return 0;
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(end - context.info.start).count());
}

bool sampled(double fraction) noexcept {
  constexpr uint64_t kSteps = 1000000;
  return static_cast<double>(base::random_below(kSteps)) < fraction * static_cast<double>(kSteps);
}

}  // namespace

bool passes(const LogFilter* filter, const stream::FormatContext& context) {
  using Kind = LogFilter::Kind;
  if (filter == nullptr) return true;
  switch (filter->kind) {
    case Kind::kStatusCode:
      return compare(filter->compare, static_cast<uint64_t>(context.info.response_code),
                     filter->value);
    case Kind::kDuration:
      return compare(filter->compare, duration_ms(context), filter->value);
    case Kind::kNotHealthCheck:
      return !context.info.health_check;
    case Kind::kRuntime:
      return sampled(filter->fraction);
    case Kind::kAnd:
      for (const auto& child : filter->children)
        if (!passes(child.get(), context)) return false;
      return true;
    case Kind::kOr:
      for (const auto& child : filter->children)
        if (passes(child.get(), context)) return true;
      return false;
    case Kind::kHeader:
      return context.request != nullptr && filter->header.matches(*context.request);
    case Kind::kResponseFlag:
      return filter->flags == 0 ? context.info.flags != 0
                                : (context.info.flags & filter->flags) != 0;
  }
  return false;
}

}  // namespace weir::proxy
