#pragma once

#include <string>
#include <vector>

#include "experiment/step.h"

namespace descramble {

/// What rounding at the taps alone does to the outputs, max|f − f′| / max|f|: the largest of three
/// plain runs in which each tapped value h becomes h + ε r z, with ε the unit of its dtype's last
/// place, r the root of the mean of h² and z normal (stream "noise floor"); or of two plain runs
/// without noise, where that is more. A pair of rotations cannot be expected to do less.
double noise_floor(const Workspace& workspace, const std::vector<std::string>& taps);

/// What a certificate is judged by: the config's tolerance, else the larger of the limit for the
/// model's dtype and twice its noise floor.
double allowed_by_floor(const Workspace& workspace, double floor);

/// Says that the model amplifies rounding beyond the limit for its dtype; empty: it does not.
std::string floor_warning(const Workspace& workspace, const std::vector<std::string>& taps,
                          double floor);

}  // namespace descramble
