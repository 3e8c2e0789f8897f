#pragma once

#include "experiment/completeness.h"
#include "experiment/step.h"

namespace descramble {

/// What the step leaves behind: its entry of result.json, curves.csv, spectrum.csv, figures, lines.
StepResult completeness_report(const nlohmann::json& resolved, const Completeness& measured);

}  // namespace descramble
