
#include "descramble/solver/kinds.h"
#include "solver/quasi_newton.h"

namespace descramble {

const SolverKind& solver_kind_riemannian_lbfgs() {
  static const SolverKind kind{
      .info = {.name = "riemannian_lbfgs",
               .summary = "L-BFGS on the rotation group in the frame of its Lie algebra, strong "
                          "Wolfe line search: for any differentiable objective",
               .formula = "O = (G P' - P G')/2, direction A = -H O, P <- cayley(t A) P",
               .source = "Nocedal and Wright, Numerical Optimization, algorithm 7.4; Wen and Yin, "
                         "Math. Program. 142 (2013) 397 (Cayley retraction)",
               .fields = quasi_newton_fields(500, 1e-8, 20)},
      .solve = [](const Objective& objective, const Settings& settings, const SolverRun& run) {
        return search_quasi_newton<GroupSpace>(objective, settings, run,
                                               settings.integer("history"));
      }};
  return kind;
}

}  // namespace descramble
