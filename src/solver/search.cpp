#include "solver/search.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_slogdet.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "descramble/basis/chart.h"
#include "descramble/basis/orthogonal.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/random.h"

namespace descramble {

Descent::Descent(const Objective& objective, std::int64_t budget, double tolerance,
                 std::function<void(std::int64_t, double)> on_iteration)
    : objective_(objective),
      budget_(budget),
      tolerance_(tolerance),
      on_iteration_(std::move(on_iteration)) {}

Evaluation Descent::evaluate(const at::Tensor& point) {
  check_interrupt();
  const auto refuse = [&](const std::string& what, const std::string& found) {
    throw Error({what, fmt::format("{}, iteration {}", objective_.name(), iterations_),
                 "a finite number", found});
  };
  const Evaluation evaluation = with_where(fmt::format("iteration {}", iterations_),
                                           [&] { return objective_.evaluate(point); });
  if (std::isnan(evaluation.value) || evaluation.value == -INFINITY)
    refuse("the objective is not a number", fmt::format("{}", evaluation.value));
  if (!std::isfinite(evaluation.value)) return evaluation;
  if (!evaluation.gradient.defined() || evaluation.gradient.sizes() != point.sizes()) {
    throw Error({"the objective has no gradient", objective_.name(),
                 fmt::format("{0} x {0} numbers", point.size(0)),
                 evaluation.gradient.defined() ? "another size" : "none"});
  }
  if (!at::isfinite(evaluation.gradient).all().item<bool>())
    refuse("the objective's gradient is not finite", "inf or nan");
  last_value_ = evaluation.sharp.value_or(evaluation.value);
  if (!best_.defined() || last_value_ < best_value_) {
    best_ = point;
    best_value_ = last_value_;
    best_gradient_ = evaluation.gradient;
  }
  return evaluation;
}

bool Descent::step(double value) {
  if (!trace_.empty()) ++iterations_;
  trace_.push_back(value);
  if (on_iteration_) on_iteration_(iterations_, value);
  return iterations_ < budget_ && !interrupted();
}

bool Descent::interrupted() const {
  return interrupt_requested();
}

bool Descent::is_critical(const at::Tensor& skew, const at::Tensor& gradient) const {
  // Scaled first: the square of a large or small gradient leaves the range of float64.
  const double scale = gradient.abs().max().item<double>();
  if (scale == 0) return true;
  return (skew / scale).norm().item<double>() <=
         tolerance_ * (gradient / scale).norm().item<double>();
}

at::Tensor lie_gradient(const at::Tensor& gradient, const at::Tensor& point) {
  const at::Tensor product = gradient.matmul(point.t());
  return (product - product.t()) / 2;
}

StartingPoints::StartingPoints(const Objective& objective, const std::string& first,
                               const SolverRun& run)
    : blocks_(objective.blocks()), proper_(objective.traits().is_proper), seed_(run.seed) {
  if (run.start.defined()) {
    require_rotation_size(run.start, objective);
    const at::Tensor start = RotationPair(run.start).matrix();
    if (proper_ && std::get<0>(at::linalg_slogdet(start)).item<double>() < 0) {
      throw Error({"the start is a reflection", objective.name(), "determinant +1", "-1"});
    }
    const at::Tensor inside = blockwise(start, blocks_, [](const at::Tensor& b) { return b; });
    if (!at::equal(inside, start)) {
      throw Error({"the start does not fit", objective.name(),
                   fmt::format("{} diagonal blocks and nothing beside them", blocks_.size()),
                   "other entries"});
    }
    first_.push_back({"given", reorthogonalised(reorthogonalised(start))});
  }
  if (first == "haar") return;
  const std::vector<Guess> guesses = objective.guesses();
  first_.insert(first_.end(), guesses.begin(), guesses.end());
  const bool known = std::any_of(guesses.begin(), guesses.end(),
                                 [](const Guess& guess) { return guess.name == "identity"; });
  if (!known) first_.push_back({"identity", at::eye(objective.dimension(), at::kDouble)});
}

Guess StartingPoints::at_index(std::size_t i) const {
  if (i < first_.size()) return first_[i];
  RandomStream random = random_stream(seed_, "haar", i - first_.size());
  std::int64_t d = 0;
  for (const std::int64_t size : blocks_) d += size;
  return {"haar", blockwise(at::zeros({d, d}, at::kDouble), blocks_, [&](const at::Tensor& block) {
            return haar_rotation(block.size(0), random, proper_);
          })};
}

at::Tensor blockwise(const at::Tensor& matrix, const std::vector<std::int64_t>& blocks,
                     const std::function<at::Tensor(const at::Tensor& block)>& change) {
  if (blocks.size() == 1) return change(matrix);
  at::Tensor result = at::zeros_like(matrix);
  std::int64_t begin = 0;
  for (const std::int64_t size : blocks) {
    const auto of = [&](const at::Tensor& whole) {
      return whole.narrow(0, begin, size).narrow(1, begin, size);
    };
    of(result).copy_(change(of(matrix)));
    begin += size;
  }
  return result;
}

namespace {

/// A nearby point, about 0.05 away in the largest singular value of the step.
at::Tensor shaken(const at::Tensor& point, const std::vector<std::int64_t>& blocks,
                  RandomStream& random) {
  return blockwise(point, blocks, [&](const at::Tensor& block) {
    const std::int64_t d = block.size(0);
    const at::Tensor noise =
        random.normal_tensor({d, d}) * (0.025 / std::sqrt(static_cast<double>(d)));
    return cayley(noise - noise.t()).matmul(block);
  });
}

/// Runs from one start, with a random push at each point where the descent comes to rest.
std::string descend(Descent& descent, const at::Tensor& start, RandomStream random,
                    const Method& method) {
  constexpr double gain = 1e-10;  // a smaller one, relative to the gradient's scale, is rounding
  std::string reason = method(descent, start);
  while (reason == "converged" && descent.left() > 0 && descent.objective().dimension() > 1) {
    const double value = descent.best_value();
    const double scale = descent.best_gradient().norm().item<double>();
    const std::string next =
        method(descent, shaken(descent.best(), descent.objective().blocks(), random));
    const bool gained =
        value - descent.best_value() > gain * std::max(std::abs(value), 1e-3 * scale);
    // A push without enough iterations after it proves nothing.
    if (gained || next == "interrupted" || next == "max_iterations") reason = next;
    if (!gained) break;
  }
  return reason;
}

}  // namespace

void finish(Solution& solution, const Objective& objective) {
  const at::Tensor identity = at::eye(objective.dimension(), at::kDouble);
  try {
    // A handful of steps from a random start need not get below where nothing is turned.
    if (const double unturned = objective.value(identity);
        !solution.point.defined() || unturned < solution.value) {
      solution.point = identity;
    } else {
      solution.point = reorthogonalised(solution.point).contiguous();
    }
    solution.value = objective.value(solution.point);
  } catch (const Interrupted&) {
    // Values that would have to be computed again: the best point stands as it was evaluated.
    if (!solution.point.defined()) throw;
  }
}

Solution search(const Objective& objective, const SearchOptions& options, const SolverRun& run,
                const Method& method) {
  const StartingPoints points(objective, options.first, run);
  const auto starts = static_cast<std::size_t>(options.starts);
  const double budget = std::max(1.0, static_cast<double>(options.max_iterations));
  Solution solution;
  solution.starts = 0;
  double best = INFINITY;
  bool interrupted = false;
  for (std::size_t i = 0; i < starts && !interrupted; ++i) {
    const auto index = static_cast<std::int64_t>(i);
    Descent descent(
        objective, options.max_iterations, options.tolerance,
        [&](std::int64_t iteration, double value) {
          if (!run.on_iteration) return;
          const double ended = static_cast<double>(i) + static_cast<double>(iteration) / budget;
          run.on_iteration({index, iteration, value, ended / static_cast<double>(starts)});
        });
    StartOutcome outcome;
    try {
      const Guess start = points.at_index(i);
      outcome.from = start.name;
      const auto name_start = [&](Complaint& complaint) {
        if (starts > 1) complaint.where += fmt::format(" of start {}", i);
      };
      outcome.reason = with_complaint(name_start, [&] {
        return descend(descent, start.rotation, random_stream(run.seed, "shake", i), method);
      });
    } catch (const Interrupted&) {
      outcome.reason = "interrupted";
    }
    interrupted = outcome.reason == "interrupted" || interrupt_requested();
    if (!descent.best().defined()) continue;  // +inf at the start, or interrupted before it
    ++solution.starts;
    outcome.value = descent.best_value();
    outcome.iterations = descent.iterations();
    outcome.trace = descent.trace();
    if (outcome.value < best) {
      best = outcome.value;
      solution.point = descent.best();
      solution.reason = outcome.reason;
      solution.iterations = outcome.iterations;
      solution.trace = outcome.trace;
    }
    solution.outcomes.push_back(std::move(outcome));
  }
  if (interrupted) solution.reason = "interrupted";
  if (!solution.point.defined() && !interrupted) {
    throw Error({"the objective is not finite anywhere it was tried", objective.name(),
                 "a finite number", "inf"});
  }
  solution.value = best;
  finish(solution, objective);
  return solution;
}

}  // namespace descramble
