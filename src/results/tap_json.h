#pragma once

#include <nlohmann/json_fwd.hpp>

#include "descramble/analysis/check_samples.h"
#include "descramble/taps/space.h"

namespace descramble {

/// {name, shape, axis} as results have it.
nlohmann::json tap_json(const TapSpace& space);

/// "check" of a result: which samples certificates were given on, and what they showed.
nlohmann::json check_json(const CheckSamples& check);

}  // namespace descramble
