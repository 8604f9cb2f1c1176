// copy_lower: the same as letter by letter, at every length and place.
#include "base/lower.h"

#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"

namespace weir::base {
namespace {

TEST(CopyLower, IsTheSameAsLetterByLetter) {
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t size = 1; size <= 19; ++size) {
      for (size_t place = 0; place < size; ++place) {
        std::string text(size, 'x');
        text[place] = static_cast<char>(byte);
        std::string lower(size, '?');
        const bool changed = copy_lower(text, lower.data());
        std::string wanted = text;
        wanted[place] = to_lower(text[place]);
        ASSERT_EQ(lower, wanted) << byte << " at " << place << " of " << size;
        ASSERT_EQ(changed, wanted != text) << byte << " at " << place << " of " << size;
      }
    }
  }
}

TEST(CopyLower, NothingIsNothing) {
  char untouched = '?';
  EXPECT_FALSE(copy_lower({}, &untouched));
  EXPECT_EQ(untouched, '?');
}

}  // namespace
}  // namespace weir::base
