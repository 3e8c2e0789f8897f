#include <nlohmann/json.hpp>

#include "solver/quasi_newton.h"

namespace descramble {

const SolverKind& solver_kind_static_cayley_lbfgs() {
  static const SolverKind kind = [] {
    SolverKind result{
        .info = {.name = "static_cayley_lbfgs",
                 .summary =
                     "L-BFGS over one Cayley chart, as published for descrambling; reaches no "
                     "rotation with the eigenvalue -1, and is slow near those",
                 .formula = "P = (I - S/2)^-1 (I + S/2) P0, S skew, P0 the start",
                 .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), descramble.m",
                 .fields = search_fields(400, 1e-8)},
        .solve = [](const Objective& objective, const nlohmann::json& resolved,
                    const SolverRun& run) {
          const std::int64_t history = resolved.at("history");
          return search(objective, resolved, run,
                        [history](Descent& descent, const at::Tensor& start) {
                          StaticCayleySpace space;
                          return quasi_newton(space, history, descent, start);
                        });
        }};
    result.info.fields.push_back({.name = "history",
                                  .type = FieldType::integer,
                                  .doc = "pairs of steps and gradient changes that are kept",
                                  .fallback = 5,
                                  .minimum = 1,
                                  .maximum = 1000});
    return result;
  }();
  return kind;
}

}  // namespace descramble
