#include "descramble/objective/kinds.h"
#include "descramble/objective/loss_objective.h"

namespace descramble {

const ObjectiveKind& objective_kind_first_entry() {
  static const ObjectiveKind kind{
      .info = {.name = "first_entry",
               .summary = "the mean square of the first rotated quantity",
               .formula = "minimise mean_n (P h_n)_0^2",
               .source = "an example"},
      .needs = [](const Settings&) { return LayerNeeds::values; },
      .make = [](const Settings&, const LayerData& layer) -> std::unique_ptr<Objective> {
        return std::make_unique<LossObjective>(*layer.values, [](const at::Tensor& rotated) {
          return rotated.select(-1, 0).square().mean();
        });
      }};
  return kind;
}

}  // namespace descramble
