#include "solver/search.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/basis/chart.h"
#include "descramble/basis/orthogonal.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/random.h"

namespace descramble {

using nlohmann::json;

std::vector<Field> search_fields(int max_iterations, double tolerance) {
  return {
      {.name = "max_iterations",
       .type = FieldType::integer,
       .doc = "iterations of one start",
       .fallback = max_iterations,
       .minimum = 1},
      {.name = "tolerance",
       .type = FieldType::number,
       .doc = "converged where the gradient along the group falls below this share of the whole "
              "gradient",
       .fallback = tolerance,
       .minimum = 0},
      {.name = "starts",
       .type = FieldType::integer,
       .doc = "starting points; the best result counts",
       .fallback = 1,
       .minimum = 1},
      {.name = "first",
       .type = FieldType::string,
       .doc = "guess: begin at the objective's own guess (identity where it has none), then at "
              "random rotations; haar: at random rotations alone",
       .fallback = "guess",
       .choices = {"guess", "haar"}}};
}

Descent::Descent(const Objective& objective, std::int64_t budget, double tolerance,
                 std::function<void(std::int64_t, double)> watch)
    : objective_(objective), budget_(budget), tolerance_(tolerance), watch_(std::move(watch)) {}

Evaluation Descent::evaluate(const at::Tensor& point) {
  const auto refuse = [&](const std::string& what, const std::string& found) {
    throw Error({what, fmt::format("{}, iteration {}", objective_.name(), iterations_),
                 "a finite number", found});
  };
  Evaluation evaluation = objective_.evaluate(point);
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
  if (!best_.defined() || evaluation.value < best_value_) {
    best_ = point;
    best_value_ = evaluation.value;
  }
  return evaluation;
}

bool Descent::step(double value) {
  if (trace_.empty()) {
    trace_.push_back(value);
  } else {
    ++iterations_;
    trace_.push_back(value);
  }
  if (watch_) watch_(iterations_, value);
  return iterations_ < budget_ && !interrupted();
}

bool Descent::interrupted() const {
  return interrupt_requested();
}

bool Descent::is_critical(const at::Tensor& skew, const at::Tensor& gradient) const {
  return skew.norm().item<double>() <= tolerance_ * gradient.norm().item<double>();
}

at::Tensor lie_gradient(const at::Tensor& gradient, const at::Tensor& point) {
  const at::Tensor product = gradient.matmul(point.t());
  return (product - product.t()) / 2;
}

namespace {

std::vector<at::Tensor> starting_points(const Objective& objective, const json& resolved,
                                        const SolverRun& run) {
  const std::int64_t d = objective.dimension();
  const auto count = resolved.at("starts").get<std::size_t>();
  std::vector<at::Tensor> points;
  if (run.start.defined()) {
    require_rotation_size(run.start, objective);
    points.push_back(RotationPair(run.start).matrix());
  }
  if (resolved.at("first") == "guess") {
    for (const at::Tensor& guess : objective.guesses()) points.push_back(guess);
    if (points.empty() || count > points.size()) points.push_back(at::eye(d, at::kDouble));
  }
  for (std::uint64_t i = 0; points.size() < count; ++i) {
    RandomStream random = random_stream(run.seed, "haar", i);
    points.push_back(haar_rotation(d, random, objective.is_proper()));
  }
  points.resize(count);
  return points;
}

/// A nearby point, about 0.05 away in the largest singular value of the step.
at::Tensor shaken(const at::Tensor& point, RandomStream& random) {
  const std::int64_t d = point.size(0);
  const at::Tensor noise =
      random.normal_tensor({d, d}) * (0.025 / std::sqrt(static_cast<double>(d)));
  return cayley(noise - noise.t()).matmul(point);
}

/// From one start, with a push off each point where it comes to rest.
std::string descend(Descent& descent, const at::Tensor& start, RandomStream random,
                    const Method& method) {
  constexpr double gain = 1e-10;  // a smaller one, relative to the gradient's scale, is rounding
  std::string reason = method(descent, start);
  while (reason == "converged" && descent.left() > 0 && descent.objective().dimension() > 1) {
    const double value = descent.best_value();
    const double scale =
        descent.objective().evaluate(descent.best()).gradient.norm().item<double>();
    const std::string next = method(descent, shaken(descent.best(), random));
    if (next == "interrupted") return next;
    if (value - descent.best_value() <= gain * std::max(std::abs(value), 1e-3 * scale)) break;
    reason = next;
  }
  return reason;
}

}  // namespace

Solution search(const Objective& objective, const json& resolved, const SolverRun& run,
                const Method& method) {
  const std::vector<at::Tensor> starts = starting_points(objective, resolved, run);
  Solution solution;
  solution.starts = 0;
  double best = INFINITY;
  for (std::size_t i = 0; i < starts.size() && solution.reason != "interrupted"; ++i) {
    const auto index = static_cast<std::int64_t>(i);
    Descent descent(objective, resolved.at("max_iterations"), resolved.at("tolerance"),
                    [&](std::int64_t iteration, double value) {
                      if (run.watch) run.watch({index, iteration, value});
                    });
    std::string reason;
    try {
      reason = descend(descent, starts[i], random_stream(run.seed, "shake", i), method);
    } catch (const Interrupted&) {
      reason = "interrupted";
    } catch (const Error& error) {
      if (starts.size() == 1) throw;
      Complaint complaint = error.complaint();
      complaint.where += fmt::format(" of start {}", i);
      throw Error(complaint);
    }
    if (!descent.best().defined()) {
      if (reason == "interrupted") break;
      throw Error({"the objective is not finite anywhere it was tried", objective.name(),
                   "a finite number", "inf"});
    }
    ++solution.starts;
    solution.outcomes.push_back(
        {descent.best_value(), reason, descent.iterations(), descent.trace()});
    if (descent.best_value() < best) {
      best = descent.best_value();
      solution.point = descent.best();
      solution.reason = reason;
      solution.iterations = descent.iterations();
      solution.trace = descent.trace();
    }
    if (reason == "interrupted") solution.reason = reason;
  }
  const at::Tensor identity = at::eye(objective.dimension(), at::kDouble);
  if (!solution.point.defined()) {
    solution.reason = "interrupted";
    solution.point = identity;
    solution.value = objective.value(identity);
    return solution;
  }
  solution.point = reorthogonalised(solution.point).contiguous();
  solution.value = objective.value(solution.point);
  // A handful of steps from a random start need not get below where nothing is turned.
  if (const double unturned = objective.value(identity); unturned < solution.value) {
    solution.point = identity;
    solution.value = unturned;
  }
  return solution;
}

}  // namespace descramble
