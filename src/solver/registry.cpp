#include "descramble/config/registry.h"

#include <ATen/TensorOperators.h>

#include "descramble/core/error.h"
#include "descramble/objective/kinds.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"
#include "descramble/solver/solver.h"

namespace descramble {

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
  if (objective.traits().has_closed_form) return "exact";
  if (objective.traits().is_sharp) return "annealed";
  return objective.traits().is_concave ? "generalized_power" : "riemannian_lbfgs";
}

std::int64_t shared_rows(const at::Tensor& rotation, const at::Tensor& other) {
  return rotation.matmul(other.t()).abs().amax(1).gt(0.9).sum().item<std::int64_t>();
}

namespace {

void require_traits(const SolverKind& solver, const ObjectiveTraits& traits,
                    const std::string& name) {
  if (solver.needs == nullptr || traits.*solver.needs) return;
  throw Error({"the solver does not fit the objective", "solver '" + solver.info.name + "'",
               solver.needed, name});
}

}  // namespace

void require_fit(const nlohmann::json& solver, const std::optional<ObjectiveTraits>& traits,
                 const std::string& objective) {
  if (is_null(solver)) return;
  const SolverKind& kind = solver_registry().resolve(solver, "/solver").kind;
  if (traits) require_traits(kind, *traits, objective);
}

void require_fit(const nlohmann::json& solver, const nlohmann::json& objective) {
  if (is_null(solver)) return;
  const SolverKind& kind = solver_registry().resolve(solver, "/solver").kind;
  const std::optional<ObjectiveTraits> traits = objective_traits(objective);
  if (traits) require_traits(kind, *traits, Settings(objective).kind());
}

Solution minimise_with(const Objective& objective, const nlohmann::json& solver,
                       const SolverRun& run) {
  const Settings best = settings_of({{"kind", best_solver(objective)}});
  const auto [kind, settings] =
      solver_registry().resolve(is_null(solver) ? best.json() : solver, "/solver");
  ObjectiveTraits traits = objective.traits();
  traits.is_sharp = traits.is_sharp || objective.smoothed(1) != nullptr;
  require_traits(kind, traits, objective.name());
  Solution solution = kind.solve(objective, settings, run);
  solution.solver = kind.info.name;
  return solution;
}

Solution minimise_as(const Objective& objective, const Settings& solver, const SolverRun& run) {
  return minimise_with(objective, solver.json(), run);
}

Solution minimise(const Objective& objective, const SolverOptions& options) {
  SettingValues solver = {{"kind", options.kind.empty() ? best_solver(objective) : options.kind}};
  if (options.max_iterations) solver.emplace_back("max_iterations", *options.max_iterations);
  if (options.tolerance) solver.emplace_back("tolerance", *options.tolerance);
  if (options.starts) solver.emplace_back("starts", *options.starts);
  if (options.history) solver.emplace_back("history", *options.history);
  return minimise_as(objective, settings_of(solver),
                     SolverRun{options.seed, options.start, options.on_iteration});
}

}  // namespace descramble
