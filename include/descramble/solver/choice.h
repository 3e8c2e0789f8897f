#pragma once

#include <functional>
#include <string>

#include "descramble/solver/solver.h"

namespace descramble {

/// The solver that an analysis uses; absent: the best known for the objective.
struct SolverChoice {
  std::string name{};  ///< for progress; empty: the name from best_solver
  std::function<Solution(const Objective& objective, const SolverRun& run)> solve{};
};

/// A solver with its fields. The seed, start and on_iteration of `options` are left to the
/// analysis.
SolverChoice solver(const SolverOptions& options = {});

}  // namespace descramble
