#include <ATen/ops/eye.h>

#include "descramble/basis/kinds.h"

namespace descramble {

const BasisKind& basis_kind_neurons() {
  static const BasisKind kind{
      .info = {.name = "neurons",
               .summary = "the layer's own quantities: neurons, channels or features",
               .formula = "Q = I"},
      .make = [](const Settings&, const BasisInput& input) -> BasisDraws {
        const at::Tensor mean = input.moments.mean();
        return one_basis("neurons", Basis(at::eye(mean.size(0), at::kDouble), mean, input.pointer));
      }};
  return kind;
}

}  // namespace descramble
