#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/basis/choice.h"
#include "descramble/objective/choice.h"
#include "descramble/solver/choice.h"
#include "experiment/step.h"

namespace descramble {

/// The objective that a resolved config value names.
ObjectiveChoice objective_in(const nlohmann::json& resolved);
/// The solver; null: the best known for the objective.
SolverChoice solver_in(const nlohmann::json& resolved);
/// The bases of a list, which may be made of files and of the rotations that earlier steps found.
std::vector<BasisChoice> bases_in(const nlohmann::json& resolved, const Workspace& workspace);

}  // namespace descramble
