#pragma once

#include <string>
#include <vector>

#include "descramble/analysis/subject.h"

namespace descramble {

/// The effect of rounding at the taps alone on the outputs, max|f − f′| / max|f|. It is the largest
/// difference of three plain runs in which each tapped value h becomes h + ε √d r z, with ε the
/// unit of its dtype's last place, d the size of its axis, r the root of the mean of h² and z
/// normal (stream "noise floor"). If two plain runs without noise differ by more, it is that
/// difference. The noise has the size of the rounding of two products of d terms: a pair of
/// rotations cannot be expected to do less.
///
/// Quantised and chaotic networks react to noise only by chance, and rarely. So there are up to 32
/// runs if `measured`, the difference that is to be judged, exceeds the limit from fewer runs.
double noise_floor(const Subject& subject, const std::vector<std::string>& taps, double measured);

/// A warning that the model amplifies rounding beyond the limit for its dtype; empty: it does not.
std::string floor_warning(const Subject& subject, const std::vector<std::string>& taps,
                          double floor);

}  // namespace descramble
