#pragma once

#include <cstdint>

namespace descramble {

struct Interval {
  double low = 0;
  double high = 1;
};

/// Wilson's 95 % confidence interval of a proportion, `hits` out of `count` independent trials.
/// Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209; Brown, Cai, DasGupta, Stat. Sci. 16 (2001).
/// @throws Error unless 0 <= hits <= count and count >= 1
Interval wilson_interval(std::int64_t hits, std::int64_t count);

/// McNemar's exact test: of the samples that only one of two classifiers gets right, `first` are
/// right with the one and `second` with the other. The probability, if both were as likely, of a
/// split at least as uneven: min(1, 2 Σ_{i ≤ min} C(n, i) / 2ⁿ), n = first + second.
double paired_p_value(std::int64_t first, std::int64_t second);

/// Its decadic logarithm, which is finite where the probability itself is below the least double.
double paired_log10_p_value(std::int64_t first, std::int64_t second);

}  // namespace descramble
