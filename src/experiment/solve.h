#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "descramble/core/progress.h"
#include "descramble/objective/objective.h"
#include "descramble/solver/solver.h"

namespace descramble {

/// Minimises with progress for a person. `solver`: resolved, or null for the best known.
Solution solve(const Objective& objective, const nlohmann::json& solver, const std::string& tap,
               std::uint64_t seed, Progress& progress);

/// {kind, reason, iterations, starts, outcomes} as results have it, values in the objective's
/// sense.
nlohmann::json solver_json(const Objective& objective, const Solution& solution);
/// "riemannian_lbfgs, 500 iterations, best of 4 starts: 1.2 1.3 1.2 1.2".
std::string solver_line(const Objective& objective, const Solution& solution);
/// One summary of the solvers of several taps: a reason other than convergence goes first.
nlohmann::json solvers_json(const nlohmann::json& taps);

}  // namespace descramble
