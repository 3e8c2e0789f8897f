
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"
#include "solver/quasi_newton.h"

namespace descramble {

const Binding<StaticCayleyLbfgs>& StaticCayleyLbfgs::binding() {
  static const Binding<StaticCayleyLbfgs> binding = quasi_newton_binding<StaticCayleyLbfgs>();
  return binding;
}

const SolverKind& solver_kind_static_cayley_lbfgs() {
  static const SolverKind kind{
      .info = {.name = StaticCayleyLbfgs::kind,
               .summary = "L-BFGS over one Cayley chart, as published for descrambling; reaches no "
                          "rotation with the eigenvalue -1, and is slow near those",
               .formula = "P = (I - S/2)^-1 (I + S/2) P0, S skew, P0 the start",
               .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), descramble.m",
               .fields = StaticCayleyLbfgs::binding().fields()},
      .solve = [](const Objective& objective, const Settings& settings, const SolverRun& run) {
        const StaticCayleyLbfgs options = StaticCayleyLbfgs::binding().read(settings);
        return search_quasi_newton<StaticCayleySpace>(objective, SearchOptions::of(options), run,
                                                      options.history);
      }};
  return kind;
}

}  // namespace descramble
