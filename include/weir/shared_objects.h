// SharedObjects: what the same filter of two generations, or filters of two places, have in common.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

/// Objects by name that live as long as a factory holds them: a count of connections goes on over an edit, because the new
/// factory is made while the old one lives. Thread: main. Owner: the process; the objects themselves are the users' to
/// make thread-safe.
class SharedObjects {
 public:
  /// The object of this name, or a new one by `make()`. A name begins with its filter's, so that it stands for one type.
  template <typename T, typename Make>
  std::shared_ptr<T> get(std::string_view name, Make&& make) {
    std::erase_if(objects_, [](const auto& each) { return each.second.expired(); });
    std::weak_ptr<void>& slot = objects_[std::string(name)];
    if (auto found = slot.lock()) return std::static_pointer_cast<T>(found);
    std::shared_ptr<T> made = std::forward<Make>(make)();
    slot = made;
    return made;
  }

 private:
  std::map<std::string, std::weak_ptr<void>, std::less<>> objects_;
};

}  // namespace weir
