#pragma once

#include "descramble/analysis/patch.h"
#include "results/step_result.h"

namespace descramble {

/// The result of the step `patch`. `file`: the file of the donor's values.
StepResult patch_report(const PatchOptions& options, const InputFile& file, const Patched& patched);

}  // namespace descramble
