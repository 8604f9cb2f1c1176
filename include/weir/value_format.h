// ValueFormat: a header value (or any text) with Envoy's access-log operators in it, "%REQ(X-ID)%" and so on.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <weir/http_filter.h>
#include <weir/result.h>

namespace weir {

/// Compiled when a filter's options are read, rendered per stream on any thread. Cheap to copy.
class ValueFormat {
 public:
  /// Error (kConfig): an unknown operator, a bad argument, an unclosed "%"; `detail` names it.
  static Result<ValueFormat> compile(std::string_view text);
  ValueFormat();  // the empty text
  ~ValueFormat();
  ValueFormat(const ValueFormat&);
  ValueFormat& operator=(const ValueFormat&);

  /// Appends the value for a filter's stream; what has no value is nothing.
  void append(FilterCallbacks& stream, std::string& out) const;
  const std::string& source() const noexcept;

 private:
  struct Private;
  std::shared_ptr<const Private> private_;  // immutable
};

}  // namespace weir
