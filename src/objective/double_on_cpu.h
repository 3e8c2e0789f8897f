#pragma once

#include <ATen/core/Tensor.h>

namespace descramble {

/// Sums over Jacobians are computed in float64 on the CPU, for any device and dtype of the entries.
inline at::Tensor double_on_cpu(const at::Tensor& a) {
  return a.to(at::kCPU, at::kDouble);
}

}  // namespace descramble
