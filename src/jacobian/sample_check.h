#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/taps/tapped_model.h"

namespace descramble {

/// The largest change of a value of the model from another order of summation, relative to the
/// largest entry of a sample: 1e-9 in float64, 1e-3 in float32, 5e-2 in half types. The coarser of
/// the value's dtype and the model's dtype decides, because the model may compute in the coarser
/// one.
double allowed_by_rounding(const at::Tensor& value, const Model& model);

/// Checks that the network gives a sample the same value in every batch. The derivative of one
/// sample has a meaning only then. `out`: the value at tap `to` for `inputs`, [B, …].
/// @throws Error for values that have no batch in front, that depend on the other samples or on
/// random numbers
void require_samples_apart(const TappedModel& tapped, const std::string& to,
                           const std::vector<at::Tensor>& inputs, const at::Tensor& out);

}  // namespace descramble
