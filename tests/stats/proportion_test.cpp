#include "descramble/stats/proportion.h"

#include <cmath>

#include <gmock/gmock.h>

#include "descramble/core/error.h"

namespace descramble::test {
namespace {

// The ends solve (p̂ − p)² = z² p(1 − p)/n.
TEST(Proportion, WilsonsIntervalSolvesItsEquation) {
  constexpr double z = 1.959963984540054;
  for (const std::int64_t count : {1, 7, 200, 10000}) {
    for (const std::int64_t hits : {std::int64_t{0}, count / 3, count / 2, count}) {
      const Interval band = wilson_interval(hits, count);
      const double n = static_cast<double>(count);
      const double share = static_cast<double>(hits) / n;
      EXPECT_LE(0, band.low);
      EXPECT_LE(band.low, share);
      EXPECT_LE(share, band.high);
      EXPECT_LE(band.high, 1);
      for (const double p : {band.low, band.high})
        EXPECT_NEAR((share - p) * (share - p), z * z * p * (1 - p) / n, 1e-12);
    }
  }
  // Ten of ten: Brown, Cai and DasGupta (2001), 1/(1 + z²/n) to 1.
  EXPECT_NEAR(wilson_interval(10, 10).low, 1 / (1 + z * z / 10), 1e-12);
}

TEST(Proportion, RefusesNone) {
  EXPECT_THROW(wilson_interval(0, 0), Error);
  EXPECT_THROW(wilson_interval(3, 2), Error);
  EXPECT_THROW(wilson_interval(-1, 2), Error);
}

TEST(Proportion, PairedTestCountsTails) {
  EXPECT_DOUBLE_EQ(paired_p_value(0, 0), 1);
  EXPECT_DOUBLE_EQ(paired_p_value(4, 4), 1);
  EXPECT_NEAR(paired_p_value(0, 5), 2.0 / 32, 1e-14);
  EXPECT_NEAR(paired_p_value(1, 5), 2.0 * 7 / 64, 1e-14);
  EXPECT_DOUBLE_EQ(paired_p_value(3, 20), paired_p_value(20, 3));
  EXPECT_LT(paired_p_value(0, 1000), 1e-300);
}

TEST(Proportion, PairedTestKeepsTheLogarithmOfWhatNoDoubleHolds) {
  EXPECT_DOUBLE_EQ(paired_log10_p_value(4, 4), 0);
  for (const auto& [first, second] : {std::pair{0, 5}, {1, 5}, {163, 20}, {82, 93}})
    EXPECT_NEAR(paired_log10_p_value(first, second), std::log10(paired_p_value(first, second)),
                1e-12);
  // 2/2ⁿ of n discordant samples that are all on one side.
  EXPECT_EQ(paired_p_value(0, 5000), 0);
  EXPECT_NEAR(paired_log10_p_value(0, 5000), -4999 * std::log10(2), 1e-9);
  // The sum's exact integers: Σ_{i ≤ 2} C(1856, i) = 1723297.
  EXPECT_NEAR(paired_log10_p_value(2, 1854), std::log10(1723297) - 1855 * std::log10(2), 1e-9);
}

}  // namespace
}  // namespace descramble::test
