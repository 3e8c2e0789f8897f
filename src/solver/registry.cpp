#include <nlohmann/json.hpp>

#include "descramble/solver/solver.h"

namespace descramble {

using nlohmann::json;

#define DESCRAMBLE_KIND(name) const SolverKind& solver_kind_##name();
#include "solver/builtin.def"
#undef DESCRAMBLE_KIND

const std::vector<SolverKind>& solver_kinds() {
  static const std::vector<SolverKind> kinds = {
#define DESCRAMBLE_KIND(name) solver_kind_##name(),
#include "solver/builtin.def"
#undef DESCRAMBLE_KIND
  };
  return kinds;
}

const KindFamily& solver_family() {
  static const KindFamily family = [] {
    KindFamily result{.title = "solver"};
    for (const SolverKind& kind : solver_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

std::string best_solver(const Objective& objective) {
  if (objective.has_closed_form()) return "exact";
  if (objective.is_sharp()) return "annealed";
  return objective.is_concave() ? "generalized_power" : "riemannian_lbfgs";
}

Solution minimise_with(const Objective& objective, const json& solver, const SolverRun& run) {
  const json chosen = solver.is_null() ? json{{"kind", best_solver(objective)}} : solver;
  const json resolved = resolve_kind(solver_family(), chosen, "/solver");
  std::size_t i = 0;
  while (solver_kinds()[i].info.name != resolved.at("kind")) ++i;
  Solution solution = solver_kinds()[i].solve(objective, resolved, run);
  solution.solver = solver_kinds()[i].info.name;
  return solution;
}

Solution minimise(const Objective& objective, const SolverOptions& options) {
  json solver = {{"kind", options.kind.empty() ? best_solver(objective) : options.kind}};
  if (options.max_iterations) solver["max_iterations"] = *options.max_iterations;
  if (options.tolerance) solver["tolerance"] = *options.tolerance;
  if (options.starts) solver["starts"] = *options.starts;
  if (options.history) solver["history"] = *options.history;
  return minimise_with(objective, solver, SolverRun{options.seed, options.start, options.watch});
}

}  // namespace descramble
