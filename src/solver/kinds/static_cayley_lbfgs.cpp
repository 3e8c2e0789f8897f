
#include "descramble/solver/kinds.h"
#include "solver/quasi_newton.h"

namespace descramble {

const SolverKind& solver_kind_static_cayley_lbfgs() {
  static const SolverKind kind{
      .info = {.name = "static_cayley_lbfgs",
               .summary = "L-BFGS over one Cayley chart, as published for descrambling; reaches no "
                          "rotation with the eigenvalue -1, and is slow near those",
               .formula = "P = (I - S/2)^-1 (I + S/2) P0, S skew, P0 the start",
               .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), descramble.m",
               .fields = quasi_newton_fields(400, 1e-8, 5)},
      .solve = [](const Objective& objective, const Settings& settings, const SolverRun& run) {
        return search_quasi_newton<StaticCayleySpace>(objective, settings, run,
                                                      settings.integer("history"));
      }};
  return kind;
}

}  // namespace descramble
