#include "descramble/objective/choice.h"

#include <utility>

#include "descramble/objective/maximum_diagonal.h"
#include "descramble/objective/quartimax.h"
#include "descramble/objective/smoothness.h"

namespace descramble {

ObjectiveChoice smoothness(const SmoothnessOptions& options) {
  return {"smoothness", LayerNeeds::moments, [options](const LayerData& layer) {
            return std::make_unique<Smoothness>(
                options.stencil,
                options.center ? layer.moments.covariance() : layer.moments.second_moment());
          }};
}

ObjectiveChoice maximum_diagonal_sum(bool proper) {
  return {"maximum_diagonal_sum", LayerNeeds::weight, [proper](const LayerData& layer) {
            return std::make_unique<MaximumDiagonalSum>(layer.weight, proper);
          }};
}

ObjectiveChoice maximum_diagonal_norm_square() {
  return {"maximum_diagonal_norm_square", LayerNeeds::weight, [](const LayerData& layer) {
            return std::make_unique<MaximumDiagonalNormSquare>(layer.weight);
          }};
}

ObjectiveChoice quartimax(bool center) {
  return {"quartimax", LayerNeeds::values, [center](const LayerData& layer) {
            return std::make_unique<Quartimax>(center ? layer.values->centred() : *layer.values);
          }};
}

ObjectiveChoice tap_loss(TapLoss loss, const std::string& name) {
  return {name, LayerNeeds::values, [loss = std::move(loss)](const LayerData& layer) {
            return std::make_unique<LossObjective>(*layer.values, loss);
          }};
}

}  // namespace descramble
