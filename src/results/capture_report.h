#pragma once

#include "descramble/analysis/capture.h"
#include "results/step_result.h"

namespace descramble {

/// What the step `capture` leaves behind.
StepResult capture_report(Split data, const Captured& captured);

}  // namespace descramble
