#pragma once

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// max|f − f′| / max|f|, in float64 (0 where both are zero).
double relative_difference(const at::Tensor& changed, const at::Tensor& original);

/// The largest difference that an inserted pair may cause before the certificate is refused: 1e-4
/// in float32, 1e-10 in float64, 5e-2 in the half types. The result holds the measured difference.
double allowed_difference(at::ScalarType dtype);

}  // namespace descramble
