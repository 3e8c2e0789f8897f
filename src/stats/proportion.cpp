#include "descramble/stats/proportion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

Interval wilson_interval(std::int64_t hits, std::int64_t count) {
  if (count < 1 || hits < 0 || hits > count) {
    throw Error({"no proportion", "", "0 <= hits <= count, count >= 1",
                 fmt::format("{} of {}", hits, count)});
  }
  constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  const double n = static_cast<double>(count);
  const double p = static_cast<double>(hits) / n;
  const double scale = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / scale;
  const double half = z / scale * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // The ends are exact where no trial, or each, is a hit.
  return {hits == 0 ? 0 : centre - half, hits == count ? 1 : centre + half};
}

double paired_p_value(std::int64_t first, std::int64_t second) {
  const double n = static_cast<double>(first + second);
  double tail = 0;
  for (std::int64_t i = 0; i <= std::min(first, second); ++i) {
    const double k = static_cast<double>(i);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) -
                     n * std::numbers::ln2);
  }
  return std::min(1.0, 2 * tail);
}

}  // namespace descramble
