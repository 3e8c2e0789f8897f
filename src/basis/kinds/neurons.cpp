#include "descramble/basis/choice.h"

namespace descramble {

const BasisKind& basis_kind_neurons() {
  static const BasisKind kind{
      .info = {.name = "neurons",
               .summary = "the layer's own quantities: neurons, channels or features",
               .formula = "Q = I"},
      .make = [](const Settings&, const BasisInput& input) -> BasisDraws {
        return neurons()(input);
      }};
  return kind;
}

}  // namespace descramble
