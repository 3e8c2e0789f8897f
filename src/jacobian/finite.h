#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace descramble {

/// `values` are [B, …]; `between` names the taps. @throws SampleError: `what`, and of which sample
void require_finite(const at::Tensor& values, const std::string& what, const std::string& between);

}  // namespace descramble
