#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/explore.h"

namespace descramble {

/// Whether a person can look at inputs of this shape as images: [n, C, H, W] with one or three
/// channels.
bool is_image(const at::Tensor& input);

/// Fills `shown` of every basis of a tap. It reads each sample that is shown once, one at a time.
/// @throws Error as the data do
void show_neighbours(const Subject& subject, const ExploreOptions& options, ExploredTap& tap,
                     Progress& progress);

}  // namespace descramble
