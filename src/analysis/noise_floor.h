#pragma once

#include <string>
#include <vector>

#include "descramble/analysis/subject.h"

namespace descramble {

/// What rounding at the taps alone does to the outputs, max|f − f′| / max|f|: the largest of three
/// plain runs in which each tapped value h becomes h + ε √d r z, with ε the unit of its dtype's
/// last place, d the size of its axis, r the root of the mean of h² and z normal (stream "noise
/// floor"); or of two plain runs without noise, where that is more. That is the size of the
/// rounding of two products of d terms: a pair of rotations cannot be expected to do less.
///
/// Quantised and chaotic networks answer noise by chance, and rarely. Where `measured`, the
/// difference that is to be judged, is beyond what would be allowed, up to 32 runs are taken.
double noise_floor(const Subject& subject, const std::vector<std::string>& taps, double measured);

/// Says that the model amplifies rounding beyond the limit for its dtype; empty: it does not.
std::string floor_warning(const Subject& subject, const std::vector<std::string>& taps,
                          double floor);

}  // namespace descramble
