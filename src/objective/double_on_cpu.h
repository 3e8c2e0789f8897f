#pragma once

#include <ATen/core/Tensor.h>

namespace descramble {

/// Where and how sums over Jacobians are taken, whatever the device and dtype of their entries.
inline at::Tensor double_on_cpu(const at::Tensor& a) {
  return a.to(at::kCPU, at::kDouble);
}

}  // namespace descramble
