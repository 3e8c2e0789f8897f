#pragma once

#include "descramble/analysis/descramble_chain.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step `descramble` for a chain of taps. `objective`: its kind.
StepResult chain_report(const std::string& objective, Split data, const ChainDescrambling& chain);

}  // namespace descramble
