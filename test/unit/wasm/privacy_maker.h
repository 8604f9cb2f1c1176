// Rules of privacy for tests, written as their message.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "unit/filters/fake_view.h"
#include "wasm/privacy/privacy.h"

namespace weir::wasm {

using filters::test::FakeView;
using filters::test::List;
using filters::test::Object;

inline std::shared_ptr<const Privacy> read_privacy(Object message,
                                                   std::vector<std::string>& errors) {
  FakeView view(Object{{"privacy", std::move(message)}}, errors);
  return Privacy::read(view);
}
inline std::shared_ptr<const Privacy> privacy(Object message) {
  std::vector<std::string> errors;
  auto out = read_privacy(std::move(message), errors);
  EXPECT_EQ(errors, std::vector<std::string>());
  return out;
}

/// A list of matchers: "x" is exact, "x*" a prefix.
inline List names(std::initializer_list<const char*> texts) {
  List list;
  for (const std::string text : texts) {
    const bool prefix = text.ends_with('*');
    const std::string name = text.substr(0, text.size() - (prefix ? 1 : 0));
    list.emplace_back(Object{{prefix ? "prefix" : "exact", name.c_str()}});
  }
  return list;
}
inline Object hide(std::initializer_list<const char*> texts) { return {{"hide", names(texts)}}; }
inline Object mask(std::initializer_list<const char*> texts) { return {{"mask", names(texts)}}; }
inline Object only(std::initializer_list<const char*> texts) {
  return {{"allow_only", names(texts)}};
}

}  // namespace weir::wasm
