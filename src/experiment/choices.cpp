#include "experiment/choices.h"

#include <nlohmann/json.hpp>

#include "descramble/objective/kinds.h"
#include "descramble/solver/kinds.h"

namespace descramble {

using nlohmann::json;

ObjectiveChoice objective_in(const json& resolved) {
  return {resolved.at("kind"), objective_needs(resolved),
          [resolved](const LayerData& layer) { return make_objective(resolved, layer); }};
}

SolverChoice solver_in(const json& resolved) {
  if (resolved.is_null()) return {};
  return {resolved.at("kind"), [resolved](const Objective& objective, const SolverRun& run) {
            return minimise_with(objective, resolved, run);
          }};
}

std::vector<BasisChoice> bases_in(const json& resolved, const Workspace& workspace) {
  std::vector<BasisChoice> result;
  for (const json& basis : resolved) {
    result.push_back([basis, &workspace](const BasisInput& input) {
      BasisInput own = input;
      own.rotations = workspace.rotations;
      own.paths = workspace.paths;
      return make_basis(basis, own);
    });
  }
  return result;
}

}  // namespace descramble
