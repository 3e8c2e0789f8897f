
#include "descramble/objective/kinds.h"
#include "descramble/objective/maximum_diagonal.h"

namespace descramble {

const ObjectiveKind& objective_kind_maximum_diagonal_norm_square() {
  static const ObjectiveKind kind{
      .info = {.name = "maximum_diagonal_norm_square",
               .summary = "the squared diagonal of the rotated weights, maximised: like the sum, "
                          "whatever the signs",
               .formula = "maximise sum_i (P W)_ii^2, W out x in, diagonal to min(out, in); bound "
                          "tr(Y) max_i w_i' Y^-1 w_i with Y = sym(W diag(c) P), c = diag(P W)",
               .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), left_diag.m"},
      .traits = [](const Settings&) { return ObjectiveTraits{.is_concave = true}; },
      .needs = [](const Settings&) { return LayerNeeds::weight; },
      .make = [](const Settings&, const LayerData& layer) -> std::unique_ptr<Objective> {
        return std::make_unique<MaximumDiagonalNormSquare>(layer.weight);
      }};
  return kind;
}

}  // namespace descramble
