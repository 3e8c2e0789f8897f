#pragma once

#include <string>
#include <vector>

#include "descramble/analysis/explore.h"
#include "results/step_result.h"

namespace descramble {

/// `vocabulary`: the words of token ids; empty: ids are shown as numbers.
StepResult explore_report(const ExploreOptions& options, const Exploration& found,
                          const std::vector<std::string>& vocabulary);

}  // namespace descramble
