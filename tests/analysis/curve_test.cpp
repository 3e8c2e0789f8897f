#include "descramble/analysis/curve.h"

#include <cmath>

#include <gmock/gmock.h>

#include "descramble/analysis/grid.h"

namespace descramble::test {
namespace {

using Counts = std::vector<std::int64_t>;

Curve curve_of(const std::map<std::int64_t, std::int64_t>& hits) {
  Curve curve;
  for (const auto& [ablated, right] : hits)
    curve.scores[ablated] = {.count = 100, .top1_hits = right, .has_accuracy = true};
  return curve;
}

TEST(Curve, AreaAndHalvingAreOfStraightLines) {
  const Curve line = curve_of({{0, 80}, {4, 60}, {8, 20}, {10, 10}});
  // 0.4·0.70 + 0.4·0.40 + 0.2·0.15
  EXPECT_NEAR(area_under(line, 10).value(), 0.47, 1e-15);
  // 80 → 40: half way between 60 at 4 and 20 at 8.
  EXPECT_NEAR(halved_at(line).value(), 6, 1e-14);
  EXPECT_FALSE(area_under(line, 12).has_value()) << "does not reach the end";
  EXPECT_FALSE(halved_at(curve_of({{0, 80}, {5, 41}})).has_value());
  EXPECT_DOUBLE_EQ(halved_at(curve_of({{0, 80}, {5, 40}, {6, 70}})).value(), 5);
  EXPECT_FALSE(halved_at(curve_of({{0, 0}, {5, 0}})).has_value());
}

TEST(Curve, ComparesTheSameSamples) {
  Curve first;
  Curve second;
  first.right_at_half = {true, true, true, false, true};
  second.right_at_half = {true, false, false, true, false};
  const PairedComparison pair = compare_at_half(first, second);
  EXPECT_EQ(pair.only_first, 3);
  EXPECT_EQ(pair.only_second, 1);
  EXPECT_DOUBLE_EQ(pair.p_value, 2.0 * 5 / 16);
  EXPECT_NEAR(pair.log10_p_value, std::log10(2.0 * 5 / 16), 1e-14);
}

TEST(Grid, HasBothEndsTheMiddleAndAsManyPointsAsAsked) {
  for (const std::int64_t d : {1, 2, 3, 10, 64, 255, 4096}) {
    for (const std::int64_t points : {3, 4, 16, 64}) {
      for (const Grid::Kind kind : {Grid::Kind::linear, Grid::Kind::adaptive}) {
        SCOPED_TRACE(std::string(kind == Grid::Kind::linear ? "linear" : "adaptive") + " " +
                     std::to_string(points) + " of " + std::to_string(d));
        const Grid grid{kind, points};
        Counts counts = first_counts(grid, d);
        EXPECT_TRUE(std::is_sorted(counts.begin(), counts.end()));
        EXPECT_EQ(counts.front(), 0);
        EXPECT_EQ(counts.back(), d);
        EXPECT_THAT(counts, ::testing::Contains(d / 2));
        const Counts further =
            further_counts(grid, counts, std::vector<double>(counts.size() - 1, 0.1));
        counts.insert(counts.end(), further.begin(), further.end());
        std::sort(counts.begin(), counts.end());
        EXPECT_EQ(std::adjacent_find(counts.begin(), counts.end()), counts.end());
        EXPECT_EQ(static_cast<std::int64_t>(counts.size()), std::min(points, d + 1));
      }
    }
    EXPECT_EQ(static_cast<std::int64_t>(first_counts({.kind = Grid::Kind::all}, d).size()), d + 1);
  }
}

TEST(Grid, RefinesWhereAccuracyMoved) {
  const Grid grid{Grid::Kind::adaptive, 9};
  EXPECT_EQ(further_counts(grid, {0, 10, 20, 30, 40}, {0.0, 0.8, 0.1, 0.0}),
            (Counts{12, 14, 16, 18}));
  EXPECT_EQ(further_counts(grid, {0, 2, 20, 30, 40}, {0.9, 0.3, 0.1, 0.0}), (Counts{1, 8, 14, 25}));
  EXPECT_EQ(further_counts({Grid::Kind::linear, 9}, {0, 10}, {1.0}), Counts{});
}

}  // namespace
}  // namespace descramble::test
