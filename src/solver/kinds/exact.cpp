
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"

namespace descramble {

const Binding<ClosedForm>& ClosedForm::binding() {
  static const Binding<ClosedForm> binding;
  return binding;
}

const SolverKind& solver_kind_exact() {
  static const SolverKind kind{
      .info = {.name = ClosedForm::kind,
               .summary = "The objective's closed form: the optimum itself, in a canonical gauge"},
      .solve =
          [](const Objective& objective, const Settings&, const SolverRun&) {
            const std::optional<ExactPoint> exact = objective.solve_exactly();
            Solution solution{
                .point = exact->rotation, .reason = "exact", .degenerate = exact->degenerate};
            solution.value = objective.value(solution.point);
            return solution;
          },
      .needs = &ObjectiveTraits::has_closed_form,
      .needed = "an objective with a closed form"};
  return kind;
}

}  // namespace descramble
