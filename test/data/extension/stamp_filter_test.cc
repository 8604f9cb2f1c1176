// A test of the filter, outside weir's tree too: it links the code behind the public headers, and no proxy.
#include <cstdio>

#include <weir/filter_registry.h>

void register_stamp(weir::FilterRegistry& registry);

int main() {
  weir::FilterRegistry registry;
  register_stamp(registry);
  if (registry.find_http("example.filters.http.stamp.v1.Stamp") == nullptr)
    return std::puts("the filter is not registered"), 1;
  weir::ResponseHead head;
  head.headers.set("x-stamp", "a");
  weir::Buffer body("text");
  const bool right = head.headers.get("x-stamp") == "a" && body.size() == 4;
  return right ? 0 : (std::puts("the messages are wrong"), 1);
}
