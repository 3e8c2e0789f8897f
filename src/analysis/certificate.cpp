#include "descramble/analysis/certificate.h"

#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/view_as_real.h>

namespace descramble {

namespace {

/// The values as real numbers in float64, from any dtype.
at::Tensor plain(const at::Tensor& value) {
  at::Tensor result = value.detach();
  if (result.is_quantized()) result = result.dequantize();
  if (result.layout() != c10::kStrided) result = result.to_dense();
  if (result.is_complex()) result = at::view_as_real(result.resolve_conj());
  return result.to(at::kCPU, at::kDouble);
}

}  // namespace

double relative_difference(const at::Tensor& changed, const at::Tensor& original) {
  if (changed.sizes() != original.sizes()) return std::numeric_limits<double>::infinity();
  if (changed.is_complex() != original.is_complex()) return std::numeric_limits<double>::infinity();
  const at::Tensor reference = plain(original);
  if (reference.numel() == 0) return 0;
  const double difference = (plain(changed) - reference).abs().max().item<double>();
  const double scale = reference.abs().max().item<double>();
  if (difference == 0) return 0;
  return difference / scale;
}

double allowed_difference(at::ScalarType dtype) {
  if (dtype == at::kDouble) return 1e-10;
  return dtype == at::kFloat ? 1e-4 : 5e-2;
}

}  // namespace descramble
