#pragma once

#include "descramble/analysis/measure_jacobian.h"
#include "results/step_result.h"

namespace descramble {

/// What the step `jacobian` leaves behind.
StepResult jacobian_report(Split data, const MeasuredJacobian& measured);

}  // namespace descramble
