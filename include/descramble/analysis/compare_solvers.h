#pragma once

#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/subject.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/core/progress.h"
#include "descramble/objective/choice.h"
#include "descramble/solver/choice.h"

namespace [[gnu::visibility("default")]] descramble {

/// One objective at one tap, and the solvers that are compared.
struct SolverComparisonOptions {
  std::string tap{};                         ///< a selector that means one tap
  Position position = Position::after;       ///< before or after the tap
  std::optional<Axis> axis{};                ///< absent: the default of the tap
  RowSelection rows{};                       ///< rows that count
  ObjectiveChoice objective = smoothness();  ///< what is minimised
  std::vector<SolverChoice> solvers{};       ///< each runs alone, from its own starts
  Split data = Split::train;                 ///< the source of the values
};

/// Results of several solvers for one objective at one tap. All values are values that are
/// minimised. If the objective is maximised, they are the negatives of the quantity of interest.
struct SolverComparison {
  TapMoments tap{};                   ///< the tap, and its moments if the objective needs them
  std::int64_t dimension = 0;         ///< d
  bool maximised = false;             ///< whether the quantity of interest is −f
  double before = 0;                  ///< the value at P = I
  double best = 0;                    ///< the best value that any solver found
  std::optional<double> optimum{};    ///< the best value of any rotation, if it is known
  std::vector<Solution> solutions{};  ///< the results, in the order of the solvers

  /// What excess is measured from: the optimum, or else the best value that was found.
  double reference() const { return optimum.value_or(best); }
};

/// Runs several solvers on one objective; the model does not change.
/// @throws Error for selectors that match no tap, or several
SolverComparison compare_solvers(const Subject& subject, const SolverComparisonOptions& options,
                                 Progress& progress = Progress::none());

}  // namespace descramble
