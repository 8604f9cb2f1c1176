// SharedObjects: what the same filter of two generations, or filters of two places, have in common.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

/// Objects by name that live as long as the process: a count of connections goes on over an edit. Thread: main; the objects
/// themselves are the users' to make thread-safe.
class SharedObjects {
 public:
  /// The object of this name, or a new one by `make()`, which gives a unique_ptr. A name begins with its filter's, so that it
  /// stands for one type; there are as many as a configuration has places.
  template <typename T, typename Make>
  T& get(std::string_view name, Make&& make) {
    auto found = objects_.find(name);
    if (found == objects_.end())
      found =
          objects_
              .emplace(std::string(name), std::make_unique<Holder<T>>(std::forward<Make>(make)()))
              .first;
    return *static_cast<Holder<T>&>(*found->second).object;
  }

 private:
  struct Any {
    virtual ~Any() = default;
  };
  template <typename T>
  struct Holder final : Any {
    explicit Holder(std::unique_ptr<T> made) : object(std::move(made)) {}
    std::unique_ptr<T> object;
  };
  std::map<std::string, std::unique_ptr<Any>, std::less<>> objects_;
};

}  // namespace weir
