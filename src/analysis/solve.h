#pragma once

#include <cstdint>
#include <string>

#include "descramble/core/progress.h"
#include "descramble/objective/objective.h"
#include "descramble/solver/choice.h"

namespace descramble {

/// Minimises and shows the progress from the first iteration on.
Solution solve(const Objective& objective, const SolverChoice& solver, const std::string& what,
               std::uint64_t seed, Progress& progress);

}  // namespace descramble
