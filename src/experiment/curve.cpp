#include "experiment/curve.h"

#include <iterator>

#include "descramble/stats/proportion.h"

namespace descramble {

std::optional<double> area_under(const Curve& curve, std::int64_t d) {
  if (curve.scores.rbegin()->first != d || !curve.scores.begin()->second.has_accuracy)
    return std::nullopt;
  double area = 0;
  for (auto point = std::next(curve.scores.begin()); point != curve.scores.end(); ++point) {
    const auto& [before, score] = *std::prev(point);
    area += static_cast<double>(point->first - before) / static_cast<double>(d) *
            (score.top1() + point->second.top1()) / 2;
  }
  return area;
}

std::optional<double> halved_at(const Curve& curve) {
  if (!curve.scores.begin()->second.has_accuracy) return std::nullopt;
  const double half = curve.scores.begin()->second.top1() / 2;
  if (half == 0) return std::nullopt;
  for (auto point = std::next(curve.scores.begin()); point != curve.scores.end(); ++point) {
    const double high = std::prev(point)->second.top1();
    const double low = point->second.top1();
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
