#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/objective/objective.h"

namespace descramble {

/// One starting point of a solver, and where it led.
struct StartOutcome {
  std::string from{};  ///< "identity", "haar", a guess of the objective, "given"
  double value = 0;
  std::string reason{};
  std::int64_t iterations = 0;
  /// Value at the start and after each iteration; of a start that was compared with others on
  /// fewer samples, those values.
  std::vector<double> trace{};
  /// Its best point; undefined where the solver keeps none but the answer.
  at::Tensor point{};
};

/// How many rows of a rotation are, up to sign, rows of another one: |cos| > 0.9. Rotations of
/// equal value that share few rows say that the value is identified and the basis is not.
std::int64_t shared_rows(const at::Tensor& rotation, const at::Tensor& other);

/// What a solver found. `value` is the objective at `point`, exactly, and no point that the solver
/// has seen is better (up to the rounding of the last reorthogonalisation; where starts are
/// compared on fewer samples, of the points that were then evaluated on all: every start and its
/// end, and the way from the best of them). `reason` says why it stopped: "exact", "converged",
/// "max_iterations", "line_search" (no step lowers the value any further in floating point),
/// "interrupted"; of a start that was given up because others were far better, "abandoned".
struct Solution {
  at::Tensor point{};  ///< P, [d, d], float64, orthogonal
  double value = 0;
  std::string reason{};
  std::string solver{};  ///< its kind
  std::int64_t iterations = 0;
  std::int64_t starts = 1;
  std::int64_t degenerate = 0;  ///< directions that the optimum does not tell apart
  /// Of the best start; where starts were compared on fewer samples, of what followed on all. Empty
  /// for a closed form.
  std::vector<double> trace{};
  std::vector<StartOutcome> outcomes{};  ///< of every start; empty for a closed form
};

/// Where a solver is, for whoever watches.
struct Iteration {
  std::int64_t start = 0;      ///< from 0
  std::int64_t iteration = 0;  ///< of this start, from 0
  double value = 0;
  double share = 0;  ///< of the work done so far, in [0, 1], if nothing ends early from here on
};

/// What a solver is given besides its own fields.
struct SolverRun {
  std::uint64_t seed = 0;
  at::Tensor start{};  ///< first starting point; undefined: the objective's guess, or identity
  std::function<void(const Iteration&)> on_iteration{};
};

/// The kind that serves an objective best: `exact` where there is a closed form,
/// `annealed` for those with kinks, `generalized_power` for concave ones, `riemannian_lbfgs` for
/// the rest.
std::string best_solver(const Objective& objective);

/// A solver for a program, with the fields that its kind has; those left out have their defaults.
/// See `descramble kinds NAME`.
struct SolverOptions {
  std::optional<std::int64_t> max_iterations{};
  std::optional<double> tolerance{};
  std::optional<std::int64_t> starts{};
  std::optional<std::int64_t> history{};
  std::string kind{};  ///< empty: best_solver
  std::uint64_t seed = 0;
  at::Tensor start{};
  std::function<void(const Iteration&)> on_iteration{};
};

/// Minimises over the orthogonal group.
///
///     auto best = descramble::minimise(objective, {.starts = 4, .kind = "riemannian_lbfgs"});
///
/// @throws Error for a field that the kind does not have, a solver that cannot serve the objective,
/// a start that is no rotation, and an objective that returns no number (which, and in which
/// iteration)
Solution minimise(const Objective& objective, const SolverOptions& options = {});

}  // namespace descramble
