#pragma once

#include "descramble/analysis/completeness.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step: its entry of result.json, curves.csv, spectrum.csv, figures, lines.
StepResult completeness_report(const CompletenessOptions& options, const Completeness& measured);

}  // namespace descramble
