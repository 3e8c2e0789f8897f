#include "descramble/analysis/compare_solvers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <ATen/ops/eye.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analysis/layer_data.h"
#include "analysis/solve.h"
#include "descramble/core/error.h"

namespace descramble {

SolverComparison compare_solvers(const Subject& subject, const SolverComparisonOptions& options,
                                 Progress& progress) {
  const std::vector<std::string> taps =
      positioned_taps(subject.model, {options.tap}, options.position);
  if (taps.size() != 1) {
    throw Error({"one tap is needed", "tap", "one tap point",
                 fmt::format("{}: {}", taps.size(), fmt::join(taps, ", "))});
  }
  Layer layer =
      std::move(gather_layers(subject, subject.source(options.data), taps,
                              {options.objective.needs, options.axis, options.rows}, progress)[0]);
  const std::unique_ptr<Objective> objective = options.objective.make(layer.data);
  SolverComparison result;
  result.tap = std::move(layer.tap);
  result.dimension = objective->dimension();
  result.maximised = objective->traits().is_maximised;
  result.before = objective->value(at::eye(result.dimension, at::kDouble));
  result.best = std::numeric_limits<double>::infinity();
  for (const SolverChoice& one : options.solvers) {
    result.solutions.push_back(solve(*objective, one, taps[0], subject.seed, progress));
    result.best = std::min(result.best, result.solutions.back().value);
  }
  result.optimum = objective->optimum();
  return result;
}

}  // namespace descramble
