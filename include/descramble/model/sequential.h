#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// Builds a `sequential` model as a TorchScript module with one named submodule a layer; classes
/// are named as torch.nn's. Sizes follow from `input` (a sample's shape). Weights and biases of
/// linear and convolution layers are U(−1/√fan_in, 1/√fan_in) (torch.nn's default), from the stream
/// "init/<layer>".
/// @throws Error naming the layer when sizes do not fit
Model build_sequential(const nlohmann::json& resolved, std::uint64_t seed,
                       const std::string& device = "cpu");

}  // namespace descramble
