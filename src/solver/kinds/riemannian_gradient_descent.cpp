
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"
#include "solver/quasi_newton.h"

namespace descramble {

const Binding<RiemannianGradientDescent>& RiemannianGradientDescent::binding() {
  static const Binding<RiemannianGradientDescent> binding =
      search_binding<RiemannianGradientDescent>();
  return binding;
}

const SolverKind& solver_kind_riemannian_gradient_descent() {
  static const SolverKind kind{
      .info = {.name = RiemannianGradientDescent::kind,
               .summary = "steepest descent on the rotation group with Barzilai-Borwein steps: the "
                          "plain method that others are compared with",
               .formula = "O = (G P' - P G')/2, P <- cayley(-t O) P",
               .source = "Wen and Yin, Math. Program. 142 (2013) 397",
               .fields = RiemannianGradientDescent::binding().fields()},
      .solve = [](const Objective& objective, const Settings& settings, const SolverRun& run) {
        const auto options = RiemannianGradientDescent::binding().read(settings);
        return search_quasi_newton<GroupSpace>(objective, SearchOptions::of(options), run, 0);
      }};
  return kind;
}

}  // namespace descramble
