#include "descramble/experiment/certificate.h"

#include <limits>

#include <ATen/TensorOperators.h>

namespace descramble {

double relative_difference(const at::Tensor& changed, const at::Tensor& original) {
  if (changed.sizes() != original.sizes()) return std::numeric_limits<double>::infinity();
  const at::Tensor reference = original.detach().to(at::kCPU, at::kDouble);
  const double difference =
      (changed.detach().to(at::kCPU, at::kDouble) - reference).abs().max().item<double>();
  const double scale = reference.abs().max().item<double>();
  if (difference == 0) return 0;
  return difference / scale;
}

double allowed_difference(at::ScalarType dtype) {
  if (dtype == at::kDouble) return 1e-10;
  return dtype == at::kFloat ? 1e-4 : 5e-2;
}

}  // namespace descramble
