#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/taps/point.h"

namespace [[gnu::visibility("default")]] descramble {

/// Which dimension of a tapped value holds the d quantities that a basis rotates.
enum class Axis {
  features,  ///< the last dimension; every position along the others is a row
  channels,  ///< dimension 1; every position is a row
  neurons    ///< all dimensions but the batch, flattened; every sample is a row
};

/// "features", "channels", "neurons".
std::string axis_name(Axis axis);
/// The axis of that name.
/// @throws Error for an unknown name
Axis parse_axis(const std::string& name);

/// `features` for values of 1 to 3 dimensions, `channels` from 4 dimensions on; for three
/// dimensions `channels`, too, where the point says that they come first.
Axis default_axis(const at::Tensor& value, const TapPoint& point = {});

/// d along the axis. @throws Error when the value has no such axis
std::int64_t axis_size(const at::Tensor& value, Axis axis);

/// Samples as rows, [N, d]: a view where the memory allows it.
at::Tensor to_rows(const at::Tensor& value, Axis axis);

/// The inverse: rows [N, d] in a value's sizes, or in the shape of `like`.
at::Tensor from_rows(const at::Tensor& rows, at::IntArrayRef sizes, Axis axis);
/// The same with the sizes of `like`.
at::Tensor from_rows(const at::Tensor& rows, const at::Tensor& like, Axis axis);

/// Refuses an axis whose d×d float64 matrices (four of them: moments, eigenvectors, rotation,
/// workspace) would not fit into `memory_mb`. @throws Error with d and the bytes needed
void require_memory(std::int64_t d, std::int64_t memory_mb, const std::string& tap, Axis axis);

}  // namespace descramble
