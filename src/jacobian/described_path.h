#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/jacobian/layer_jacobian.h"
#include "descramble/taps/path.h"
#include "jacobian/block_layout.h"

namespace descramble {

/// A path that the graph describes, compared with the network itself.
struct PathCheck {
  std::string difference{};  ///< why the path is not what the network does; empty: it is
  std::int64_t widest = 0;   ///< numbers of one sample at the widest value on the way
};
/// `values` and `out` are what the network has at the path's ends.
PathCheck check_path(const Path& path, const at::Tensor& values, const at::Tensor& out);

/// The constant factor of a Jacobian without positions; nothing if the path does not show one.
/// `values` are at the path's beginning.
std::optional<LayerJacobian::Masked> constant_factor(const Path& path, const at::Tensor& values,
                                                     const BlockLayout& layout);

}  // namespace descramble
