// Matchers and header options for tests, written as their messages.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>
#include <weir/header_options.h>
#include <weir/matchers.h>

#include "unit/filters/fake_view.h"

namespace weir::test {

using filters::test::List;
using filters::test::Object;

/// What `read` makes of the message, and what it reports.
template <typename Read>
auto made_of(Object message, std::vector<std::string>& errors, Read&& read) {
  filters::test::FakeView view(std::move(message), errors);
  return read(view);
}

inline StringMatcher string_matcher(Object message) {
  std::vector<std::string> errors;
  StringMatcher out = made_of(std::move(message), errors, &StringMatcher::read);
  EXPECT_EQ(errors, std::vector<std::string>());
  return out;
}

/// One HeaderMatcher.
inline HeaderMatchers header_matcher(Object message) {
  std::vector<std::string> errors;
  HeaderMatchers out = made_of(std::move(message), errors, &HeaderMatchers::read_one);
  EXPECT_EQ(errors, std::vector<std::string>());
  return out;
}

}  // namespace weir::test
