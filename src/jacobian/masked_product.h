#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

#include "descramble/taps/path.h"

namespace descramble {

/// Rows of the Jacobian of a described path, all samples at once: `rows` [n] are places in a
/// sample's flattened output; [B, n, …shape of the input], B = 1 where no step depends on the
/// sample. Masks behind the last product only scale rows: they cost no product of their own.
/// `check`, if there is one, sees every value between the taps, including the first and the last.
at::Tensor masked_product(const Path& path, const at::Tensor& from_values, const at::Tensor& rows,
                          const std::function<void(const at::Tensor& value)>& check);

/// dh/dx of a rectifier at its argument: 1 where it is positive, else the slope.
at::Tensor rectifier_mask(const PathStep& step, const at::Tensor& argument);

}  // namespace descramble
