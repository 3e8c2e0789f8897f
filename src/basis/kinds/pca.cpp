#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigh.h>
#include <nlohmann/json.hpp>

#include "descramble/basis/kinds.h"

namespace descramble {

namespace {

/// Eigenvectors of a covariance by descending eigenvalue, the largest entry of each positive. The
/// gauge of canonical_eigen (objective/smoothness.h) is another one: it also turns the vectors of
/// nearly equal eigenvalues and takes nearly equal entries for equal, so that numbers would change.
at::Tensor principal_components(const at::Tensor& covariance) {
  at::Tensor vectors = std::get<1>(at::linalg_eigh(covariance)).flip(1).contiguous();
  const at::Tensor largest = vectors.abs().argmax(0, true);
  return vectors * vectors.gather(0, largest).sign();
}

}  // namespace

const BasisKind& basis_kind_pca() {
  static const BasisKind kind{
      .info = {.name = "pca",
               .summary = "principal components, the largest variance first",
               .formula = "C = Q diag(m) Q', m descending; C the covariance of the values",
               .source = "Dey, Taylor, Wong, Tripp, Taylor, Neuron-based explanations of neural "
                         "networks sacrifice completeness and interpretability, TMLR"},
      .make = [](const nlohmann::json&, const BasisInput& input) -> BasisDraws {
        return one_basis("pca", Basis(principal_components(input.moments.covariance()),
                                      input.moments.mean(), input.pointer));
      }};
  return kind;
}

}  // namespace descramble
