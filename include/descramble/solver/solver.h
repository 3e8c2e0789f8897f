#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/objective/objective.h"

namespace [[gnu::visibility("default")]] descramble {

/// One starting point of a solver, and its result.
struct StartOutcome {
  std::string from{};           ///< "identity", "haar", a guess of the objective, "given"
  double value = 0;             ///< the least value that it reached
  std::string reason{};         ///< the reason why it stopped, as in Solution
  std::int64_t iterations = 0;  ///< iterations that it took
  /// Value at the start and after each iteration. If starts were compared on fewer samples, the
  /// values on these samples.
  std::vector<double> trace{};
  /// Its best point; undefined if the solver keeps only the answer.
  at::Tensor point{};
};

/// How many rows of a rotation are, up to sign, rows of another rotation: |cos| > 0.9. If rotations
/// of equal value share few rows, the value is identified but the basis is not.
std::int64_t shared_rows(const at::Tensor& rotation, const at::Tensor& other);

/// The result of a solver. `value` is exactly the objective at `point`. No point that the solver
/// evaluated is better, up to the rounding of the last reorthogonalisation. If starts are compared
/// on fewer samples, this holds for the points that were evaluated on all samples: every start and
/// its end, and the search that continues from the best of them. `reason` says why the solver
/// stopped: "exact", "converged", "max_iterations", "line_search" (no step lowers the value any
/// further in floating point), "interrupted". A start that was given up because others were far
/// better has the reason "abandoned".
struct Solution {
  at::Tensor point{};           ///< P, [d, d], float64, orthogonal
  double value = 0;             ///< f(point)
  std::string reason{};         ///< the reason why the solver stopped
  std::string solver{};         ///< kind of the solver
  std::int64_t iterations = 0;  ///< iterations of the best start
  std::int64_t starts = 1;      ///< starting points that were tried
  std::int64_t degenerate = 0;  ///< directions that the optimum does not distinguish
  /// Trace of the best start. If starts were compared on fewer samples, trace of the final search
  /// on all samples. Empty for a closed form.
  std::vector<double> trace{};
  std::vector<StartOutcome> outcomes{};  ///< every start; empty for a closed form
};

/// The progress of a solver, for code that watches it.
struct Iteration {
  std::int64_t start = 0;      ///< the number of the start, from 0
  std::int64_t iteration = 0;  ///< the number of the iteration in this start, from 0
  double value = 0;            ///< the objective, which is minimised
  double share = 0;            ///< share of the work that is done, in [0, 1], if nothing ends early
};

/// The inputs of a solver besides its own fields.
struct SolverRun {
  std::uint64_t seed = 0;  ///< the seed of random starts
  at::Tensor start{};      ///< first starting point; undefined: the objective's guess, or identity
  /// Called after each iteration; absent: nobody watches.
  std::function<void(const Iteration&)> on_iteration{};
};

/// The kind that serves an objective best: `exact` where there is a closed form,
/// `annealed` for those with kinks, `generalized_power` for concave ones, `riemannian_lbfgs` for
/// the rest.
std::string best_solver(const Objective& objective);

/// The best known solver, or one by name, with options that several solvers have. Options left out
/// have the solver's defaults. solver/options.h has one struct for each solver.
struct SolverOptions {
  std::optional<std::int64_t> max_iterations{};  ///< iterations of one start
  std::optional<double> tolerance{};      ///< converged where ‖Ω‖ ≤ tolerance·‖G‖
  std::optional<std::int64_t> starts{};   ///< starting points; the best result counts
  std::optional<std::int64_t> history{};  ///< pairs of steps and gradients that are kept
  std::string kind{};                     ///< the kind of solver; empty: that of best_solver
  std::uint64_t seed = 0;                 ///< the seed of random starts
  /// First starting point, [d, d]; undefined: the objective's guess, or identity.
  at::Tensor start{};
  /// Called after each iteration; absent: nobody watches.
  std::function<void(const Iteration&)> on_iteration{};
};

/// Minimises over the orthogonal group.
///
///     auto best = descramble::minimise(objective, {.starts = 4, .kind = "riemannian_lbfgs"});
///
/// @throws Error for a field that the kind does not have, a solver that cannot serve the objective,
/// a start that is not a rotation, and an objective that returns NaN or −inf (the error names the
/// objective and the iteration)
Solution minimise(const Objective& objective, const SolverOptions& options = {});

}  // namespace descramble
