#pragma once

#include <nlohmann/json_fwd.hpp>

#include "descramble/analysis/check_samples.h"
#include "descramble/taps/space.h"

namespace descramble {

/// {name, shape, axis} for results.
nlohmann::json tap_json(const TapSpace& space);

/// "check" of a result: the samples on which certificates were measured, and the measurements.
nlohmann::json check_json(const CheckSamples& check);

}  // namespace descramble
