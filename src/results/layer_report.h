#pragma once

#include <string>
#include <vector>

#include "descramble/analysis/descramble_layer.h"
#include "results/step_result.h"

namespace descramble {

/// What the step `descramble` leaves behind for layers. `objective`: its kind; `centred`: whether
/// the covariance is saved, or the raw second moment.
StepResult layer_report(const std::string& objective, bool centred, Split data,
                        const std::vector<LayerDescrambling>& layers);

}  // namespace descramble
