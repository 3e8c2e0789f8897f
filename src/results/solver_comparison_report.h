#pragma once

#include <string>

#include "descramble/analysis/compare_solvers.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step `compare_solvers`. `objective`: its kind.
StepResult solver_comparison_report(const std::string& objective, Split data,
                                    const SolverComparison& comparison);

}  // namespace descramble
