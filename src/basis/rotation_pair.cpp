#include "descramble/basis/rotation_pair.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

namespace {

double distance_from_orthogonal(const at::Tensor& matrix) {
  return (matrix.t().matmul(matrix) - at::eye(matrix.size(0), at::kDouble)).norm().item<double>();
}

at::Tensor apply(const at::Tensor& matrix, const at::Tensor& value, Axis axis) {
  if (axis_size(value, axis) != matrix.size(0)) {
    throw Error({"rotation of the wrong size", axis_name(axis),
                 fmt::format("d = {}", axis_size(value, axis)),
                 fmt::format("d = {}", matrix.size(0))});
  }
  const at::Tensor weight = matrix.to(value.device(), value.scalar_type());
  return from_rows(at::linear(to_rows(value, axis), weight), value, axis);
}

}  // namespace

RotationPair::RotationPair(const at::Tensor& rotation)
    : rotation_(rotation.detach().to(at::kCPU, at::kDouble).clone(at::MemoryFormat::Contiguous)) {
  if (rotation_.dim() != 2 || rotation_.size(0) != rotation_.size(1) || rotation_.size(0) == 0) {
    throw Error({"not a rotation", "", "a square matrix", shape_text(rotation)});
  }
  const double distance = orthogonality();
  const double limit = 1e-6 * static_cast<double>(dimension());
  if (!(distance <= limit)) {
    throw Error({"not a rotation", "", fmt::format("|PtP - I| <= {:.1e}", limit),
                 fmt::format("{:.3e}", distance)});
  }
}

RotationPair RotationPair::identity(std::int64_t d) {
  return RotationPair(at::eye(d, at::kDouble));
}

double RotationPair::orthogonality() const {
  return distance_from_orthogonal(rotation_);
}

double RotationPair::orthogonality(at::ScalarType dtype) const {
  return distance_from_orthogonal(rotation_.to(dtype).to(at::kDouble));
}

at::Tensor RotationPair::rotate(const at::Tensor& value, Axis axis) const {
  return apply(rotation_, value, axis);
}

at::Tensor RotationPair::unrotate(const at::Tensor& value, Axis axis) const {
  return apply(rotation_.t(), value, axis);
}

at::Tensor RotationPair::round_trip(const at::Tensor& value, Axis axis) const {
  return unrotate(rotate(value, axis), axis);
}

}  // namespace descramble
