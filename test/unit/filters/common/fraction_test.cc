#include "filters/common/fraction.h"

#include "unit/filters/fake_view.h"

namespace weir::filters::test {
namespace {

class FractionTest : public FilterTest {
 protected:
  FractionalPercent percent(Object fields) {
    FakeView view(std::move(fields), errors);
    return read_percent(view);
  }
};

TEST_F(FractionTest, Denominators) {
  EXPECT_EQ(percent({{"numerator", 7}}).fraction().millionths, 70000u);
  EXPECT_EQ(percent({{"numerator", 7}, {"denominator", "TEN_THOUSAND"}}).fraction().millionths,
            700u);
  EXPECT_EQ(percent({{"numerator", 7}, {"denominator", "MILLION"}}).fraction().millionths, 7u);
  EXPECT_EQ(percent({{"numerator", 200}}).fraction().millionths, Fraction::kAll);
  EXPECT_TRUE(errors.empty());
}

TEST_F(FractionTest, AnotherNumeratorOnlyLowers) {
  const FractionalPercent half = percent({{"numerator", 50}});
  EXPECT_EQ(half.with(10).millionths, 100000u);
  EXPECT_EQ(half.with(60).millionths, 500000u);
  EXPECT_EQ(half.with(UINT64_MAX).millionths, 500000u);
}

TEST_F(FractionTest, AllAndNothingAreCertain) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(Fraction{0}.draw());
    EXPECT_TRUE(Fraction{Fraction::kAll}.draw());
  }
  int drawn = 0;
  for (int i = 0; i < 1000; ++i) drawn += Fraction{500000}.draw() ? 1 : 0;
  EXPECT_GT(drawn, 0);
  EXPECT_LT(drawn, 1000);
}

TEST_F(FractionTest, RuntimeValuesHaveTheirDefault) {
  FakeView view(
      {{"share", Object{{"runtime_key", "x"}, {"default_value", Object{{"numerator", 3}}}}},
       {"flag", Object{{"runtime_key", "x"}, {"default_value", false}}},
       {"bare", Object{{"runtime_key", "x"}}}},
      errors);
  EXPECT_EQ(read_runtime_fraction(view, "share").millionths, 30000u);
  EXPECT_EQ(read_runtime_fraction(view, "absent", Fraction{5}).millionths, 5u);
  EXPECT_FALSE(read_runtime_flag(view, "flag", true));
  EXPECT_TRUE(read_runtime_flag(view, "absent", true));
  EXPECT_TRUE(errors.empty());
  read_runtime_fraction(view, "bare");
  read_runtime_flag(view, "bare", true);
  EXPECT_EQ(errors,
            (std::vector<std::string>(2, ": the required field \"default_value\" is missing")));
}

}  // namespace
}  // namespace weir::filters::test
