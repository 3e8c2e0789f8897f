#include "descramble/config/registry.h"

#include <ATen/TensorOperators.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/solver/solver.h"

namespace descramble {

using nlohmann::json;

#define DESCRAMBLE_KIND(name) const SolverKind& solver_kind_##name();
#include "solver/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<SolverKind>& solver_registry() {
  static const Registry<SolverKind> registry = [] {
    std::vector<SolverKind> kinds = {
#define DESCRAMBLE_KIND(name) solver_kind_##name(),
#include "solver/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("solver", std::move(kinds));
  }();
  return registry;
}

}  // namespace

const std::vector<SolverKind>& solver_kinds() {
  return solver_registry().kinds();
}

const KindFamily& solver_family() {
  return solver_registry().family();
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

void require_shape(const SolverKind& solver, const ObjectiveShape& shape, const std::string& name) {
  if (solver.needs == nullptr || shape.*solver.needs) return;
  throw Error({"the solver does not fit the objective", "solver '" + solver.info.name + "'",
               solver.needed, name});
}

}  // namespace

void require_fit(const json& solver, const json& objective) {
  if (solver.is_null()) return;
  const SolverKind& kind = solver_registry().resolve(solver, "/solver").kind;
  require_shape(kind, objective_shape(objective), objective.at("kind"));
}

Solution minimise_with(const Objective& objective, const json& solver, const SolverRun& run) {
  const json chosen = solver.is_null() ? json{{"kind", best_solver(objective)}} : solver;
  const auto [kind, settings] = solver_registry().resolve(chosen, "/solver");
  const bool sharp = objective.is_sharp() || objective.smoothed(1) != nullptr;
  require_shape(kind, {objective.has_closed_form(), sharp, objective.is_concave()},
                objective.name());
  Solution solution = kind.solve(objective, settings.json(), run);
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
