#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "descramble/solver/solver.h"

namespace descramble {

/// {kind, reason, iterations, starts, outcomes} for results, with values in the objective's sense:
/// −f if it is maximised.
nlohmann::json solver_json(const Solution& solution, bool maximised);
/// "riemannian_lbfgs, 500 iterations, best of 4 starts: 1.2 1.3 1.2 1.2".
std::string solver_line(const Solution& solution, bool maximised);
/// One summary of the solvers of several taps: a reason other than convergence goes first.
nlohmann::json solvers_json(const nlohmann::json& taps);

}  // namespace descramble
