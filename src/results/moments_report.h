#pragma once

#include "descramble/analysis/tap_moments.h"
#include "results/step_result.h"

namespace descramble {

/// What the step `statistics` leaves behind.
StepResult moments_report(Split data, const std::vector<TapMoments>& taps);

}  // namespace descramble
