#pragma once

#include "descramble/analysis/measure_jacobian.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step `jacobian`.
StepResult jacobian_report(Split data, const MeasuredJacobian& measured);

}  // namespace descramble
