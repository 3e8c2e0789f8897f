#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"

namespace descramble {

/// One operation on the way from a tap to another, in tensors: what it does to a batch [B, …].
struct PathStep {
  /// What the operation is.
  enum class Kind {
    linear,        ///< weight [out, in] and bias on the last dimension
    convolution,   ///< weight, bias, stride, padding, dilation, groups
    rectifier,     ///< h where h > 0, else slope·h
    max_pool,      ///< in two dimensions: kernel, stride, padding, dilation, ceil_mode
    average_pool,  ///< in two dimensions: kernel, stride, padding, ceil_mode, divisor
    scale,         ///< weight·h + bias by channel (dimension 1): batch norm in eval mode
    flatten        ///< [B, …] to [B, numel]
  };
  Kind kind = Kind::linear;              ///< says which of the fields below count
  std::string name{};                    ///< of the operator: "aten::linear"
  at::Tensor weight{};                   ///< of linear, convolution and scale
  at::Tensor bias{};                     ///< undefined: none
  std::vector<std::int64_t> kernel{};    ///< of a pool
  std::vector<std::int64_t> stride{};    ///< of a convolution or pool
  std::vector<std::int64_t> padding{};   ///< zeros, or for a max-pool −∞, on each side
  std::vector<std::int64_t> dilation{};  ///< distance of the entries of a window
  std::int64_t groups = 1;               ///< of a convolution
  bool ceil_mode = false;                ///< of a pool: windows that begin inside count, too
  bool count_include_pad = true;         ///< of an average pool: zeros at the border count
  std::int64_t divisor = 0;              ///< of an average pool; 0: the size of its window
  double slope = 0;                      ///< of a rectifier, for h ≤ 0
};

/// The way between two taps.
struct Path {
  bool described = false;         ///< it is one straight line of the operations above
  std::vector<PathStep> steps{};  ///< from the first tap to the second
  std::string obstacle{};         ///< else: the operator that is none of them
};

/// Reads off the graph what lies between the values of two taps. Dropout and batch norm count as
/// what they are in eval mode, which the model is in.
/// @throws Error for an unknown tap, one inside an `if` or `loop`, the same tap twice
Path find_path(const Model& model, const std::string& from, const std::string& to);

/// The samples' values behind a step. @throws c10::Error for a value that does not fit: what a
/// graph shows is to be tried before it is relied upon
at::Tensor step_forward(const PathStep& step, const at::Tensor& value);

}  // namespace descramble
