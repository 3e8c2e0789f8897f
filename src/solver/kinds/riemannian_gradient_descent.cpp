
#include "descramble/solver/kinds.h"
#include "solver/quasi_newton.h"

namespace descramble {

const SolverKind& solver_kind_riemannian_gradient_descent() {
  static const SolverKind kind{
      .info = {.name = "riemannian_gradient_descent",
               .summary = "steepest descent on the rotation group with Barzilai-Borwein steps: the "
                          "plain method that others are compared with",
               .formula = "O = (G P' - P G')/2, P <- cayley(-t O) P",
               .source = "Wen and Yin, Math. Program. 142 (2013) 397",
               .fields = search_fields(1000, 1e-8)},
      .solve = [](const Objective& objective, const Settings& settings, const SolverRun& run) {
        return search_quasi_newton<GroupSpace>(objective, settings, run, 0);
      }};
  return kind;
}

}  // namespace descramble
