#pragma once

#include <functional>
#include <string>

#include "descramble/solver/options.h"

namespace [[gnu::visibility("default")]] descramble {

/// The solver that an analysis uses; absent: the best known for the objective.
struct SolverChoice {
  std::string name{};  ///< the name that progress shows; empty: the name from best_solver
  /// Solves; absent: the best known.
  std::function<Solution(const Objective& objective, const SolverRun& run)> solve{};
};

/// The best known solver, or the one that `options` names. The seed, start and on_iteration of
/// `options` are left to the analysis.
SolverChoice solver(const SolverOptions& options = {});

/// One solver with its options: `solver(Annealed{.starts = 12})`.
template <OptionsOfASolver Options>
SolverChoice solver(const Options& options) {
  return {Options::kind, [options](const Objective& objective, const SolverRun& run) {
            return minimise(objective, options, run);
          }};
}

}  // namespace descramble
