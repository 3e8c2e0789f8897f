#pragma once

#include "descramble/analysis/capture.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step `capture`.
StepResult capture_report(Split data, const Captured& captured);

}  // namespace descramble
