#include "descramble/basis/choice.h"

namespace descramble {

const BasisKind& basis_kind_pca() {
  static const BasisKind kind{
      .info = {.name = "pca",
               .summary = "principal components, the largest variance first",
               .formula = "C = Q diag(m) Q', m descending; C the covariance of the values",
               .source = "Dey, Taylor, Wong, Tripp, Taylor, Neuron-based explanations of neural "
                         "networks sacrifice completeness and interpretability, TMLR"},
      .make = [](const Settings&, const BasisInput& input) -> BasisDraws {
        return pca()(input);
      }};
  return kind;
}

}  // namespace descramble
