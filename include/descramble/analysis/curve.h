#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "descramble/analysis/score.h"
#include "descramble/basis/basis.h"

namespace [[gnu::visibility("default")]] descramble {

/// The scores of a model as the directions of one basis are ablated in one order.
struct Curve {
  std::size_t basis = 0;                   ///< index of the basis
  std::size_t draw = 0;                    ///< index of its draw
  Order order = Order::descending;         ///< which directions go first
  std::map<std::int64_t, Score> scores{};  ///< the score at each number of ablated directions
  /// Share of the variance that is left after 0, 1, …, k ablated directions.
  std::vector<double> kept{};
  /// Whether each sample was right with ⌊d/2⌋ directions ablated, in the order of the data.
  std::vector<bool> right_at_half{};
};

/// What is left of the model at one count, from 0 to 1: top-1 accuracy for classes; else
/// 1 − relative error, or 0 where that is negative.
double left_of(const Score& score);

/// Trapezoidal integral of what is left over the fraction of the d directions that is ablated.
/// Absent if the curve does not reach d.
std::optional<double> area_under(const Curve& curve, std::int64_t d);

/// The number of ablated directions at which what is left first falls to half of its value with
/// none ablated, interpolated linearly between the measured counts. Absent if it never falls so
/// far.
std::optional<double> halved_at(const Curve& curve);

/// Two curves compared on the same samples, with half of the directions ablated.
struct PairedComparison {
  std::int64_t only_first = 0;   ///< samples that are right with the first curve only
  std::int64_t only_second = 0;  ///< samples that are right with the second curve only
  double p_value = 1;            ///< McNemar's exact test; 0 if it is below the smallest double
  double log10_p_value = 0;      ///< finite even if p_value is 0
};

/// Compares two curves, which must be of the same samples in the same order.
PairedComparison compare_at_half(const Curve& first, const Curve& second);

}  // namespace descramble
