#pragma once

#include <ATen/core/Tensor.h>

namespace descramble {

/// Sums of the pseudo-Huber function φ(z) = √(z² + ε²) − ε and of |z|.
struct AbsoluteSums {
  double value = 0;  ///< Σ_r w_r Σ_j φ(z_rj); for ε = 0 Σ_r w_r Σ_j |z_rj|
  double sharp = 0;  ///< Σ_r w_r Σ_j |z_rj|
};

/// `z`: [R, d], contiguous; `weights`: [R], float64, ≥ 0. With a gradient, z becomes φ′(z_rj),
/// times w_r where the rows are `weighted`. One pass over z.
AbsoluteSums absolute_sums(at::Tensor& z, const at::Tensor& weights, double epsilon,
                           bool with_gradient, bool weighted);

}  // namespace descramble
