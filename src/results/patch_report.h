#pragma once

#include "descramble/analysis/patch.h"
#include "results/step_result.h"

namespace descramble {

/// What the step `patch` leaves behind. `file`: where the donor's values were read.
StepResult patch_report(const PatchOptions& options, const InputFile& file, const Patched& patched);

}  // namespace descramble
