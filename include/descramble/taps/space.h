#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/taps/axis.h"

namespace [[gnu::visibility("default")]] descramble {

/// The space in which the values of a tap lie: what a basis or a rotation of them has to fit.
struct TapSpace {
  std::string name{};                 ///< the name of the tap
  Axis axis = Axis::features;         ///< the dimension that holds the d quantities
  std::vector<std::int64_t> shape{};  ///< sizes of one sample's value, without the batch
  at::ScalarType dtype = at::kFloat;  ///< the dtype of the value in the network
  std::int64_t dimension = 0;         ///< d, the size of the axis
};

/// The space of a value that a tap carried. @throws Error where the value has no such axis
TapSpace space_of(const std::string& tap, const at::Tensor& value, Axis axis);

}  // namespace descramble
