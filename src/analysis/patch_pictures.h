#pragma once

#include "descramble/analysis/explore.h"
#include "descramble/core/progress.h"

namespace descramble {

/// Says whether the inputs are images, and fills `shown` of every basis of every tap. It reads each
/// sample that is shown once, one at a time. @throws Error as the data do
void show_neighbours(const Subject& subject, const ExploreOptions& options, Exploration& found,
                     Progress& progress);

}  // namespace descramble
