#pragma once

#include "descramble/analysis/score.h"
#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"

namespace [[gnu::visibility("default")]] descramble {

/// Accuracy and loss of the network on one of its sources.
/// @throws Error for a source without labels, labels that do not fit (see Score), or a loss that is
/// not finite
Score evaluate(const Subject& subject, Split split = Split::test,
               Progress& progress = Progress::none());

}  // namespace descramble
