#pragma once

#include <optional>

#include <torch/csrc/jit/api/module.h>

namespace descramble {

/// A module with classes and tensors of its own. What shared memory shares it again (tied weights,
/// parameters in one flat storage), parameters are leaves again, and modes are kept. Module::clone
/// of LibTorch 1.13 takes two views of one storage for one tensor. `floats`: the dtype that
/// floating-point tensors get.
torch::jit::Module copy_module(const torch::jit::Module& original,
                               std::optional<at::ScalarType> floats = std::nullopt);

}  // namespace descramble
