#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/plot/figure.h"
#include "descramble/reading/reading.h"

namespace descramble {

/// A matrix as a picture, its axes in physical units where they are known. `label` says what its
/// numbers are.
Picture matrix_picture(const MatrixView& matrix, const std::string& label = "entry");

}  // namespace descramble
