
#include "descramble/basis/orthogonal.h"
#include "descramble/core/error.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"
#include "solver/search.h"

namespace descramble {

namespace {

/// Concave f lies below its tangent planes: f(Q) ≤ f(P) + ⟨G, Q − P⟩, least at Q = polar(−G).
std::string power_iteration(Descent& descent, const at::Tensor& start) {
  at::Tensor point = start;
  Evaluation here = descent.evaluate(point);
  bool more = descent.step(here.value);
  while (true) {
    if (descent.is_critical(lie_gradient(here.gradient, point), here.gradient)) return "converged";
    if (!more) return descent.interrupted() ? "interrupted" : "max_iterations";
    const at::Tensor next =
        canonical_polar(-here.gradient, descent.objective().traits().is_proper).rotation;
    Evaluation there = descent.evaluate(next);
    if (there.value >= here.value) return "line_search";
    point = next;
    here = std::move(there);
    more = descent.step(here.value);
  }
}

}  // namespace

const Binding<GeneralizedPower>& GeneralizedPower::binding() {
  static const Binding<GeneralizedPower> binding = search_binding<GeneralizedPower>();
  return binding;
}

const SolverKind& solver_kind_generalized_power() {
  static const SolverKind kind{
      .info = {.name = GeneralizedPower::kind,
               .summary = "the generalised power method, for concave objectives (such as a convex "
                          "quantity that is maximised): never raises the value, has no step length",
               .formula = "P <- polar(-G), G = df/dP",
               .source = "Journee, Nesterov, Richtarik, Sepulchre, JMLR 11 (2010) 517, algorithm 1",
               .fields = GeneralizedPower::binding().fields()},
      .solve =
          [](const Objective& objective, const Settings& settings, const SolverRun& run) {
            const GeneralizedPower options = GeneralizedPower::binding().read(settings);
            return search(objective, SearchOptions::of(options), run, power_iteration);
          },
      .needs = &ObjectiveTraits::is_concave,
      .needed = "a concave objective"};
  return kind;
}

}  // namespace descramble
