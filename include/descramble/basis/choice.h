#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/basis/kinds.h"

namespace [[gnu::visibility("default")]] descramble {

/// Chooses the bases of an analysis. The analysis calls it when the moments of a layer are known.
using BasisChoice = std::function<BasisDraws(const BasisInput& input)>;

/// Principal components, the largest variance first, the largest entry of each positive.
BasisChoice pca();
/// The layer's own quantities: neurons, channels or features.
BasisChoice neurons();
/// Directions drawn uniformly from all rotations (Haar measure), `draws` times.
BasisChoice random_bases(std::int64_t draws = 1);
/// The rows of a rotation P [d, d], as an objective finds it: Q = Pᵀ.
BasisChoice rotation(const at::Tensor& matrix, const std::string& label = "rotation");
/// The orthonormal columns of Q [d, k].
BasisChoice directions(const at::Tensor& matrix, const std::string& label = "directions");

}  // namespace descramble
