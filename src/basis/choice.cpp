#include "descramble/basis/choice.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_eigh.h>
#include <fmt/format.h>

#include "descramble/basis/orthogonal.h"

namespace descramble {

namespace {

/// Eigenvectors of a covariance by descending eigenvalue, with the largest entry of each positive.
/// canonical_eigen (objective/smoothness.h) uses another gauge and would give other numbers: it
/// also rotates the vectors of nearly equal eigenvalues and treats nearly equal entries as equal.
at::Tensor principal_components(const at::Tensor& covariance) {
  at::Tensor vectors = std::get<1>(at::linalg_eigh(covariance)).flip(1).contiguous();
  const at::Tensor largest = vectors.abs().argmax(0, true);
  return vectors * vectors.gather(0, largest).sign();
}

}  // namespace

BasisChoice pca() {
  return [](const BasisInput& input) {
    return one_basis("pca", Basis(principal_components(input.moments.covariance()),
                                  input.moments.mean(), input.pointer));
  };
}

BasisChoice neurons() {
  return [](const BasisInput& input) {
    const at::Tensor mean = input.moments.mean();
    return one_basis("neurons", Basis(at::eye(mean.size(0), at::kDouble), mean, input.pointer));
  };
}

BasisChoice random_bases(std::int64_t draws) {
  return [draws](const BasisInput& input) -> BasisDraws {
    return {.label = "random",
            .draw =
                [mean = input.moments.mean(), seed = input.seed, tap = input.tap,
                 pointer = input.pointer](std::int64_t number) {
                  RandomStream stream = random_stream(seed, "basis/random/" + tap,
                                                      static_cast<std::uint64_t>(number));
                  return Basis(haar_rotation(mean.size(0), stream), mean, pointer);
                },
            .count = draws};
  };
}

BasisChoice rotation(const at::Tensor& matrix, const std::string& label) {
  return directions(matrix.transpose(0, -1), label);
}

BasisChoice directions(const at::Tensor& matrix, const std::string& label) {
  return [matrix, label](const BasisInput& input) {
    return one_basis(label, Basis(matrix, input.moments.mean(), input.pointer));
  };
}

}  // namespace descramble
