#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/taps/tapped_model.h"

namespace descramble {

/// What a sum in another order may do to a value of the model, relative to a sample's largest: 1e-9
/// in float64, 1e-3 in float32, 5e-2 in half types, by the coarser of the value's dtype and the
/// model's, which may have computed it in less.
double allowed_by_rounding(const at::Tensor& value, const Model& model);

/// Whether the network gives a sample the same value in every batch, which all that is said of one
/// sample's derivative rests on. `out`: the value at tap `to` for `inputs`, [B, …].
/// @throws Error for values that have no batch in front, that depend on the other samples or on
/// random numbers
void require_samples_apart(const TappedModel& tapped, const std::string& to,
                           const std::vector<at::Tensor>& inputs, const at::Tensor& out);

}  // namespace descramble
