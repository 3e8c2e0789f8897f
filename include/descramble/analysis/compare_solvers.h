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

/// Results of several solvers for one objective at one tap. All values are values that are
/// minimised. If the objective is maximised, they are the negatives of the quantity of interest.
struct SolverComparison {
  TapMoments tap{};
  std::int64_t dimension = 0;
  bool maximised = false;
  double before = 0;                  ///< at P = I
  double best = 0;                    ///< the best value that any solver found
  std::optional<double> optimum{};    ///< the best value of any rotation, if it is known
  std::vector<Solution> solutions{};  ///< in the order of the solvers

  double reference() const { return optimum.value_or(best); }
};

/// Runs several solvers on one objective; the model does not change.
/// @throws Error for selectors that match no tap, or several
SolverComparison compare_solvers(const Subject& subject, const SolverComparisonOptions& options,
                                 Progress& progress = Progress::none());

}  // namespace descramble
