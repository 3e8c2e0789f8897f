#pragma once

#include <cstdint>

#include <torch/csrc/jit/api/module.h>

namespace descramble {

/// Lets every device that the module's code spells out ("cuda:0", as traces made on a GPU have it)
/// be `device`. Returns how many there were of another one.
std::int64_t move_device_constants(const torch::jit::Module& module, at::Device device);

}  // namespace descramble
