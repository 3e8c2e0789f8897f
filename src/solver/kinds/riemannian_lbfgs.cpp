
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"
#include "solver/quasi_newton.h"

namespace descramble {

const Binding<RiemannianLbfgs>& RiemannianLbfgs::binding() {
  static const Binding<RiemannianLbfgs> binding = quasi_newton_binding<RiemannianLbfgs>();
  return binding;
}

const SolverKind& solver_kind_riemannian_lbfgs() {
  static const SolverKind kind{
      .info = {.name = RiemannianLbfgs::kind,
               .summary = "L-BFGS on the rotation group in the frame of its Lie algebra, strong "
                          "Wolfe line search: for any differentiable objective",
               .formula = "O = (G P' - P G')/2, direction A = -H O, P <- cayley(t A) P",
               .source = "Nocedal and Wright, Numerical Optimization, algorithm 7.4; Wen and Yin, "
                         "Math. Program. 142 (2013) 397 (Cayley retraction)",
               .fields = RiemannianLbfgs::binding().fields()},
      .solve = [](const Objective& objective, const Settings& settings, const SolverRun& run) {
        const RiemannianLbfgs options = RiemannianLbfgs::binding().read(settings);
        return search_quasi_newton<GroupSpace>(objective, SearchOptions::of(options), run,
                                               options.history);
      }};
  return kind;
}

}  // namespace descramble
