#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/solver/solver.h"

namespace descramble {

/// Fields of every iterative solver: max_iterations, tolerance, starts, first.
std::vector<Field> search_fields(int max_iterations, double tolerance);

/// One descent from one starting point: evaluates the objective, remembers the best point it has
/// seen, and knows when to stop.
class Descent {
 public:
  Descent(const Objective& objective, std::int64_t budget, double tolerance,
          std::function<void(std::int64_t, double)> watch);

  /// @throws Error when the value is no number (+inf is one: a point to keep away from), or the
  /// gradient of a finite value is not finite
  Evaluation evaluate(const at::Tensor& point);
  /// One more iteration has ended at `value`. Returns whether there may be another.
  bool step(double value);
  /// ‖Ω‖_F ≤ tolerance·‖G‖_F, Ω = ½(G Pᵀ − P Gᵀ) the gradient along the group.
  bool is_critical(const at::Tensor& skew, const at::Tensor& gradient) const;

  const Objective& objective() const { return objective_; }
  const at::Tensor& best() const { return best_; }
  double best_value() const { return best_value_; }
  const at::Tensor& best_gradient() const { return best_gradient_; }  ///< ∂f/∂P there
  std::int64_t iterations() const { return iterations_; }
  const std::vector<double>& trace() const { return trace_; }
  std::int64_t left() const { return budget_ - iterations_; }
  bool interrupted() const;

 private:
  const Objective& objective_;
  std::int64_t budget_;
  double tolerance_;
  std::function<void(std::int64_t, double)> watch_;
  at::Tensor best_{};
  double best_value_ = 0;
  at::Tensor best_gradient_{};
  std::int64_t iterations_ = 0;
  std::vector<double> trace_{};
};

/// ½(G Pᵀ − P Gᵀ): the gradient of f along the group at P, in the frame of the Lie algebra (the
/// curve exp(t A) P, A skew, changes f by t ⟨Ω, A⟩ in first order).
at::Tensor lie_gradient(const at::Tensor& gradient, const at::Tensor& point);

/// Runs from `start` until it converges, gives up, or the descent's budget is spent; the reason.
using Method = std::function<std::string(Descent& descent, const at::Tensor& start)>;

/// A method from several starts: the objective's guesses (identity where it has none), then Haar
/// rotations; `first` "haar": those alone. Where a start is a critical point, and wherever a
/// descent converges, the point is moved a little at random and the descent goes on, since a saddle
/// looks like a minimum to a gradient. The best point of all, the identity included, is the
/// solution.
Solution search(const Objective& objective, const nlohmann::json& resolved, const SolverRun& run,
                const Method& method);

}  // namespace descramble
