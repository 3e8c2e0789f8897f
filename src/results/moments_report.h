#pragma once

#include "descramble/analysis/tap_moments.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step `statistics`.
StepResult moments_report(Split data, const std::vector<TapMoments>& taps);

}  // namespace descramble
