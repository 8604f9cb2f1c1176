// What tests ask of texts.
#pragma once

#include <string>
#include <string_view>

namespace weir::test {

inline bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace weir::test
