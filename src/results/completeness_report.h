#pragma once

#include "descramble/analysis/completeness.h"
#include "results/step_result.h"

namespace descramble {

/// What the step leaves behind: its entry of result.json, curves.csv, spectrum.csv, figures, lines.
StepResult completeness_report(const CompletenessOptions& options, const Completeness& measured);

}  // namespace descramble
