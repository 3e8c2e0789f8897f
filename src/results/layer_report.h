#pragma once

#include <string>
#include <vector>

#include "descramble/analysis/descramble_layer.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step `descramble` for layers. `objective`: its kind; `centred`: true saves the
/// covariance, false the raw second moment.
StepResult layer_report(const std::string& objective, bool centred, Split data,
                        const std::vector<LayerDescrambling>& layers);

}  // namespace descramble
