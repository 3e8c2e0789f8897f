#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "descramble/core/random.h"

namespace [[gnu::visibility("default")]] descramble {

/// ‖PᵀP − I‖_F in float64.
double distance_from_orthogonal(const at::Tensor& matrix);

/// A rotation drawn uniformly (Haar measure) from O(d) (see RandomStream::haar_tensor). `proper`:
/// from SO(d), by the sign of the last row.
at::Tensor haar_rotation(std::int64_t d, RandomStream& random, bool proper = false);

/// P (3 I − PᵀP)/2, one Newton–Schulz step towards the nearest orthogonal matrix. It reduces a
/// distance of ε to about ε². Use it for matrices that are orthogonal up to accumulated rounding.
at::Tensor reorthogonalised(const at::Tensor& rotation);

/// The orthogonal matrix with the largest tr(QᵀM), and the numbers that show whether it is unique.
struct Polar {
  at::Tensor rotation{};  ///< Q, [d, d], float64
  at::Tensor singular{};  ///< singular values of M, descending
  std::int64_t rank = 0;  ///< number of singular values above 1e-12·d·(largest)
  bool turned = false;    ///< a pair was turned to make the determinant +1
};

/// Polar factor of a square M = U Σ Vᵀ: Q = U Vᵀ. It is unique only if M has full rank. If M has
/// singular values of zero (blocks U₀ and V₀), Q is completed as near to the identity as possible,
/// U₁V₁ᵀ + U₀ polar(U₀ᵀV₀) V₀ᵀ. This completion does not depend on the bases that the decomposition
/// happened to choose. `proper`: over SO(d); if det(U Vᵀ) < 0, the smallest singular pair is
/// turned.
/// @throws Error for a matrix that is not square or not finite
Polar canonical_polar(const at::Tensor& matrix, bool proper = false);

}  // namespace descramble
