#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/config/binding.h"
#include "descramble/solver/solver.h"

namespace descramble {

/// The options that every iterative solver has.
struct SearchOptions {
  std::int64_t max_iterations = 0;
  double tolerance = 0;
  std::int64_t starts = 1;
  std::string first{};

  template <typename Options>
  static SearchOptions of(const Options& options) {
    return {options.max_iterations, options.tolerance, options.starts, options.first};
  }
};

/// Binds the options that every iterative solver has.
template <typename Options>
Binding<Options> search_binding(const std::string& iterations = "iterations of one start") {
  Binding<Options> binding;
  binding.add(&Options::max_iterations, {.name = "max_iterations", .doc = iterations, .minimum = 1})
      .add(&Options::tolerance, {.name = "tolerance",
                                 .doc = "converged where the gradient along the group falls below "
                                        "this share of the whole gradient",
                                 .minimum = 0})
      .add(&Options::starts,
           {.name = "starts", .doc = "starting points; the best result counts", .minimum = 1})
      .add(&Options::first, {.name = "first",
                             .doc = "guess: begin at the objective's own guess (identity where it "
                                    "has none), then at random rotations; haar: at random "
                                    "rotations alone",
                             .choices = {"guess", "haar"}});
  return binding;
}

/// One descent from one starting point: evaluates the objective, remembers the best point that it
/// evaluated, and decides when to stop.
class Descent {
 public:
  Descent(const Objective& objective, std::int64_t budget, double tolerance,
          std::function<void(std::int64_t, double)> on_iteration);

  /// @throws Interrupted if the user asked to stop, Error when the value is NaN or −inf (+inf is
  /// allowed: the search avoids such a point), or the gradient of a finite value is not finite
  Evaluation evaluate(const at::Tensor& point);
  /// Records an iteration that ended at `value`. Returns whether another iteration may follow.
  bool step(double value);
  /// ‖Ω‖_F ≤ tolerance·‖G‖_F, Ω = ½(G Pᵀ − P Gᵀ) the gradient along the group.
  bool is_critical(const at::Tensor& skew, const at::Tensor& gradient) const;

  const Objective& objective() const { return objective_; }
  /// The best evaluated point; for a smoothed objective the best by the sharp value.
  const at::Tensor& best() const { return best_; }
  double best_value() const { return best_value_; }
  const at::Tensor& best_gradient() const { return best_gradient_; }  ///< ∂f/∂P there
  const at::Tensor& end() const { return end_; }  ///< where the last iteration ended
  void set_end(const at::Tensor& point) { end_ = point; }
  double last_value() const { return last_value_; }  ///< of the point evaluated last, as above
  std::int64_t iterations() const { return iterations_; }
  const std::vector<double>& trace() const { return trace_; }
  std::int64_t left() const { return budget_ - iterations_; }
  bool interrupted() const;

 private:
  const Objective& objective_;
  std::int64_t budget_;
  double tolerance_;
  std::function<void(std::int64_t, double)> on_iteration_;
  at::Tensor best_{};
  double best_value_ = 0;
  double last_value_ = 0;
  at::Tensor end_{};
  at::Tensor best_gradient_{};
  std::int64_t iterations_ = 0;
  std::vector<double> trace_{};
};

/// The starting points one after the other: the given one, the objective's guesses (identity where
/// it has none), then Haar rotations. Each is made only when it is needed, because there may be
/// many.
class StartingPoints {
 public:
  /// `first`: "guess", or "haar" for random rotations alone.
  StartingPoints(const Objective& objective, const std::string& first, const SolverRun& run);
  Guess at_index(std::size_t i) const;

 private:
  std::vector<std::int64_t> blocks_;
  bool proper_;
  std::uint64_t seed_;
  std::vector<Guess> first_{};
};

/// Puts the diagonal blocks of a matrix through `change`, one after the other.
at::Tensor blockwise(const at::Tensor& matrix, const std::vector<std::int64_t>& blocks,
                     const std::function<at::Tensor(const at::Tensor& block)>& change);

/// The point made orthogonal to rounding, with its value; the identity if its value is not worse.
/// This is the last operation of `search`.
void finish(Solution& solution, const Objective& objective);

/// ½(G Pᵀ − P Gᵀ): the gradient of f along the group at P, in the frame of the Lie algebra (the
/// curve exp(t A) P, A skew, changes f by t ⟨Ω, A⟩ in first order).
at::Tensor lie_gradient(const at::Tensor& gradient, const at::Tensor& point);

/// Runs from `start` until it converges, gives up, or the descent's budget is spent; the reason.
using Method = std::function<std::string(Descent& descent, const at::Tensor& start)>;

/// A method from several starts: the objective's guesses (identity where it has none), then Haar
/// rotations; `first` "haar": Haar rotations only. If a start is a critical point, and each time
/// that a descent converges, the point is moved a little at random and the descent continues,
/// because a gradient cannot distinguish a saddle from a minimum. The solution is the best point of
/// all, including the identity.
Solution search(const Objective& objective, const SearchOptions& options, const SolverRun& run,
                const Method& method);

}  // namespace descramble
