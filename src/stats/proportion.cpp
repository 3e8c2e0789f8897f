#include "descramble/stats/proportion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

double paired_log_p_value(std::int64_t first, std::int64_t second) {
  const double n = static_cast<double>(first + second);
  const auto log_term = [n](std::int64_t i) {
    const double k = static_cast<double>(i);
    return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) - n * std::numbers::ln2;
  };
  const std::int64_t last = std::min(first, second);
  const double largest = log_term(last);
  double sum = 0;  // in units of the largest term
  for (std::int64_t i = 0; i <= last; ++i) sum += std::exp(log_term(i) - largest);
  return std::min(0.0, std::numbers::ln2 + largest + std::log(sum));
}

}  // namespace

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
  // The ends are exact if no trial, or every trial, is a hit.
  return {hits == 0 ? 0 : centre - half, hits == count ? 1 : centre + half};
}

double paired_p_value(std::int64_t first, std::int64_t second) {
  return std::exp(paired_log_p_value(first, second));
}

double paired_log10_p_value(std::int64_t first, std::int64_t second) {
  return paired_log_p_value(first, second) / std::numbers::ln10;
}

}  // namespace descramble
