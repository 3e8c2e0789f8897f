#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/core/kind.h"
#include "descramble/objective/objective.h"

namespace descramble {

/// What a solver found. `value` is the objective at `point`, exactly; `reason` says why it stopped
/// ("exact", "converged", "max_iterations", "line_search", "interrupted").
struct Solution {
  at::Tensor point{};  ///< P, [d, d], float64, orthogonal
  double value = 0;
  std::string reason{};
  std::int64_t iterations = 0;
  std::int64_t starts = 1;
  std::int64_t degenerate = 0;  ///< directions that the optimum does not tell apart
  std::vector<double> trace{};  ///< value after each iteration; empty for a closed form
};

struct SolverKind {
  KindInfo info{};
  Solution (*solve)(const Objective& objective, const nlohmann::json& resolved,
                    std::uint64_t seed) = nullptr;
};

/// Every kind in src/solver/builtin.def.
const std::vector<SolverKind>& solver_kinds();
const KindFamily& solver_family();

/// Minimises over the orthogonal group. `solver` is {"kind": …, …}; fields that it leaves out have
/// their defaults. @throws Error for a bad `solver`, or one that cannot serve the objective
Solution minimise(const Objective& objective, const nlohmann::json& solver, std::uint64_t seed = 0);

}  // namespace descramble
