#pragma once

#include <cstdint>

namespace [[gnu::visibility("default")]] descramble {

/// A confidence interval of a proportion.
struct Interval {
  double low = 0;   ///< lower end, at least 0
  double high = 1;  ///< upper end, at most 1
};

/// Wilson's 95 % confidence interval of a proportion, `hits` out of `count` independent trials.
/// @source Wilson, J. Am. Stat. Assoc. 22 (1927) 209; Brown, Cai, DasGupta, Stat. Sci. 16 (2001).
/// @throws Error unless 0 <= hits <= count and count >= 1
Interval wilson_interval(std::int64_t hits, std::int64_t count);

/// McNemar's exact test for the samples that only one of two classifiers gets right: `first`
/// samples for the first classifier, `second` for the other. The result is the probability of a
/// split that is at least as uneven, if both are equally likely: min(1, 2 Σ_{i ≤ min} C(n, i) /
/// 2ⁿ), n = first + second.
double paired_p_value(std::int64_t first, std::int64_t second);

/// Its decadic logarithm, which is finite even if the probability is below the smallest double.
double paired_log10_p_value(std::int64_t first, std::int64_t second);

}  // namespace descramble
