#pragma once

#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/subject.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/core/progress.h"
#include "descramble/objective/choice.h"
#include "descramble/solver/choice.h"

namespace descramble {

struct SolverComparisonOptions {
  std::string tap{};
  Position position = Position::after;
  std::optional<Axis> axis{};
  RowSelection rows{};
  ObjectiveChoice objective = smoothness();
  std::vector<SolverChoice> solvers{};
  Split data = Split::train;
};

/// Solvers of one objective at one tap. Values are those that are minimised: where the objective is
/// maximised, their negatives are of interest.
struct SolverComparison {
  TapMoments tap{};
  std::int64_t dimension = 0;
  bool maximised = false;
  double before = 0;                  ///< at P = I
  double best = 0;                    ///< that any of them found
  std::optional<double> optimum{};    ///< that no rotation passes, where it is known
  std::vector<Solution> solutions{};  ///< in the order of the solvers

  double reference() const { return optimum.value_or(best); }
};

/// Runs several solvers on one objective; the model stays as it is.
/// @throws Error for selectors that mean no tap, or several
SolverComparison compare_solvers(const Subject& subject, const SolverComparisonOptions& options);
SolverComparison compare_solvers(const Subject& subject, const SolverComparisonOptions& options,
                                 Progress& progress);

}  // namespace descramble
