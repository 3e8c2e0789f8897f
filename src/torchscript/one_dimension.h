#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace descramble {

/// Whether a value of an inlined graph comes from a convolution, pool or normalisation in one
/// dimension, perhaps through operations number by number.
bool comes_from_one_dimension(const torch::jit::Value* value);

}  // namespace descramble
