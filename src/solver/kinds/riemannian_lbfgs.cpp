#include <nlohmann/json.hpp>

#include "solver/quasi_newton.h"

namespace descramble {

const SolverKind& solver_kind_riemannian_lbfgs() {
  static const SolverKind kind = [] {
    SolverKind result{
        .info = {.name = "riemannian_lbfgs",
                 .summary = "L-BFGS on the rotation group in the frame of its Lie algebra, strong "
                            "Wolfe line search: for any differentiable objective",
                 .formula = "O = (G P' - P G')/2, direction A = -H O, P <- cayley(t A) P",
                 .source =
                     "Nocedal and Wright, Numerical Optimization, algorithm 7.4; Wen and Yin, "
                     "Math. Program. 142 (2013) 397 (Cayley retraction)",
                 .fields = search_fields(500, 1e-8)},
        .solve = [](const Objective& objective, const nlohmann::json& resolved,
                    const SolverRun& run) {
          const std::int64_t history = resolved.at("history");
          return search(objective, resolved, run,
                        [history](Descent& descent, const at::Tensor& start) {
                          GroupSpace space;
                          return quasi_newton(space, history, descent, start);
                        });
        }};
    result.info.fields.push_back({.name = "history",
                                  .type = FieldType::integer,
                                  .doc = "pairs of steps and gradient changes that are kept",
                                  .fallback = 20,
                                  .minimum = 1,
                                  .maximum = 1000});
    return result;
  }();
  return kind;
}

}  // namespace descramble
