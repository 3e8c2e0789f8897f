#include <ATen/TensorOperators.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
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

std::int64_t shared_rows(const at::Tensor& rotation, const at::Tensor& other) {
  return rotation.matmul(other.t()).abs().amax(1).gt(0.9).sum().item<std::int64_t>();
}

namespace {

const SolverKind& solver_kind_of(const json& resolved) {
  std::size_t i = 0;
  while (solver_kinds()[i].info.name != resolved.at("kind")) ++i;
  return solver_kinds()[i];
}

void require_shape(const SolverKind& solver, const ObjectiveShape& shape, const std::string& name) {
  if (solver.needs == nullptr || shape.*solver.needs) return;
  throw Error({"the solver does not fit the objective", "solver '" + solver.info.name + "'",
               solver.needed, name});
}

}  // namespace

void require_fit(const json& solver, const json& objective) {
  if (solver.is_null()) return;
  const json resolved = resolve_kind(solver_family(), solver, "/solver");
  require_shape(solver_kind_of(resolved), objective_shape(objective), objective.at("kind"));
}

Solution minimise_with(const Objective& objective, const json& solver, const SolverRun& run) {
  const json chosen = solver.is_null() ? json{{"kind", best_solver(objective)}} : solver;
  const json resolved = resolve_kind(solver_family(), chosen, "/solver");
  const SolverKind& kind = solver_kind_of(resolved);
  const bool sharp = objective.is_sharp() || objective.smoothed(1) != nullptr;
  require_shape(kind, {objective.has_closed_form(), sharp, objective.is_concave()},
                objective.name());
  Solution solution = kind.solve(objective, resolved, run);
  solution.solver = kind.info.name;
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
