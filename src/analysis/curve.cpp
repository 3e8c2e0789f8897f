#include "descramble/analysis/curve.h"

#include <algorithm>
#include <iterator>

#include "descramble/stats/proportion.h"

namespace descramble {

double left_of(const Score& score) {
  if (score.has_accuracy) return score.top1();
  return std::max(0.0, 1.0 - score.relative_error());
}

std::optional<double> area_under(const Curve& curve, std::int64_t d) {
  if (curve.scores.rbegin()->first != d) return std::nullopt;
  double area = 0;
  for (auto point = std::next(curve.scores.begin()); point != curve.scores.end(); ++point) {
    const auto& [before, score] = *std::prev(point);
    area += static_cast<double>(point->first - before) / static_cast<double>(d) *
            (left_of(score) + left_of(point->second)) / 2;
  }
  return area;
}

std::optional<double> halved_at(const Curve& curve) {
  const double half = left_of(curve.scores.begin()->second) / 2;
  if (half == 0) return std::nullopt;
  for (auto point = std::next(curve.scores.begin()); point != curve.scores.end(); ++point) {
    const double high = left_of(std::prev(point)->second);
    const double low = left_of(point->second);
    if (low > half) continue;
    const auto begin = static_cast<double>(std::prev(point)->first);
    return begin + (static_cast<double>(point->first) - begin) * (high - half) / (high - low);
  }
  return std::nullopt;
}

PairedComparison compare_at_half(const Curve& first, const Curve& second) {
  PairedComparison result;
  for (std::size_t i = 0; i < first.right_at_half.size(); ++i) {
    result.only_first += first.right_at_half[i] && !second.right_at_half[i];
    result.only_second += second.right_at_half[i] && !first.right_at_half[i];
  }
  result.p_value = paired_p_value(result.only_first, result.only_second);
  result.log10_p_value = paired_log10_p_value(result.only_first, result.only_second);
  return result;
}

}  // namespace descramble
