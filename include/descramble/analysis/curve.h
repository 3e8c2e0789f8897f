#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "descramble/analysis/score.h"
#include "descramble/basis/basis.h"

namespace descramble {

/// What is left of a model as the directions of one basis are ablated in one order.
struct Curve {
  std::size_t basis = 0;  ///< index of the basis
  std::size_t draw = 0;   ///< and of its draw
  Order order = Order::descending;
  std::map<std::int64_t, Score> scores{};  ///< by the number of ablated directions
  /// Share of the variance that is left after 0, 1, …, k directions.
  std::vector<double> kept{};
  /// Whether each sample was right with ⌊d/2⌋ directions ablated, in the order of the data.
  std::vector<bool> right_at_half{};
};

/// What is left of the model at one count, from 0 to 1: top-1 accuracy for classes; else
/// 1 − relative error, or 0 where that is negative.
double left_of(const Score& score);

/// Trapezoid of what is left over the fraction of the d directions that is ablated. Absent where
/// the curve does not reach d.
std::optional<double> area_under(const Curve& curve, std::int64_t d);

/// The number of directions at which what is left first falls to half of what it is with none
/// ablated, linear between the counts that were measured. Absent where it never does.
std::optional<double> halved_at(const Curve& curve);

/// The same samples seen by two curves at half of the directions.
struct PairedComparison {
  std::int64_t only_first = 0;   ///< right with the first curve alone
  std::int64_t only_second = 0;  ///< right with the second alone
  double p_value = 1;            ///< McNemar's exact test; 0 where no double is as small
  double log10_p_value = 0;
};

PairedComparison compare_at_half(const Curve& first, const Curve& second);

}  // namespace descramble
