#pragma once

#include <ATen/core/Tensor.h>

#include "descramble/taps/axis.h"

namespace descramble {

/// An orthogonal P and its inverse, inserted into a network as h → Pᵀ(P h): the function stays what
/// it was, and P h is what is looked at. P is held in float64.
class RotationPair {
 public:
  /// @throws Error when P is not square, not finite, or further from orthogonal than 1e-6·d
  explicit RotationPair(const at::Tensor& rotation);
  static RotationPair identity(std::int64_t d);

  std::int64_t dimension() const { return rotation_.size(0); }
  const at::Tensor& matrix() const { return rotation_; }

  /// ‖PᵀP − I‖_F in float64, of P as it is held.
  double orthogonality() const;
  /// The same of P rounded to `dtype`, as a model's buffer holds it.
  double orthogonality(at::ScalarType dtype) const;

  /// P h along `axis`, in the value's dtype and on its device; differentiable.
  at::Tensor rotate(const at::Tensor& value, Axis axis) const;
  /// Pᵀ h.
  at::Tensor unrotate(const at::Tensor& value, Axis axis) const;
  /// Pᵀ(P h): what the insertion computes.
  at::Tensor round_trip(const at::Tensor& value, Axis axis) const;

 private:
  at::Tensor rotation_;
};

}  // namespace descramble
