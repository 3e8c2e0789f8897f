
#include "descramble/objective/kinds.h"
#include "descramble/objective/maximum_diagonal.h"

namespace descramble {

const ObjectiveKind& objective_kind_maximum_diagonal_sum() {
  static const ObjectiveKind kind{
      .info = {.name = "maximum_diagonal_sum",
               .summary = "the sum of the diagonal of the rotated weights, maximised: outputs in "
                          "the order of the inputs that they look at",
               .formula = "maximise tr(P W), W out x in (convolution: out x in k k), diagonal to "
                          "min(out, in); optimum sum of singular values",
               .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), left_diag.m; "
                         "Schoenemann, Psychometrika 31 (1966) 1",
               .fields = {{.name = "proper",
                           .type = FieldType::boolean,
                           .doc = "rotations only (determinant +1), no reflections",
                           .fallback = false}}},
      .traits =
          [](const Settings&) {
            return ObjectiveTraits{.is_concave = true, .has_closed_form = true};
          },
      .needs = [](const Settings&) { return LayerNeeds::weight; },
      .make = [](const Settings& settings, const LayerData& layer) -> std::unique_ptr<Objective> {
        return std::make_unique<MaximumDiagonalSum>(layer.weight, settings.flag("proper"));
      }};
  return kind;
}

}  // namespace descramble
