#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace descramble {

/// The value that a handler put in place of another one. @throws Error for another shape or dtype
const at::Tensor& fitting_replacement(const std::string& tap, const at::Tensor& value,
                                      const at::Tensor& result);

}  // namespace descramble
