#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// One operation on the way from a tap to another, in tensors: what it does to a batch [B, …].
struct PathStep {
  /// What the operation is.
  enum class Kind {
    linear,        ///< weight [out, in] and bias on the last dimension
    convolution,   ///< weight, bias, stride, padding, dilation, groups
    rectifier,     ///< h where h > 0, else slope·h
    max_pool,      ///< the largest value of a window, in two dimensions
    average_pool,  ///< the mean of a window, in two dimensions
    scale,         ///< weight·h + bias by channel (dimension 1): batch norm in eval mode
    flatten        ///< [B, …] to [B, numel]
  };
  Kind kind = Kind::linear;              ///< says which of the fields below count
  std::string name{};                    ///< the operator: "aten::linear"
  at::Tensor weight{};                   ///< W of linear and convolution; the factors of scale
  at::Tensor bias{};                     ///< undefined: none
  std::vector<std::int64_t> kernel{};    ///< sides of a pool's window
  std::vector<std::int64_t> stride{};    ///< steps of a convolution or pool
  std::vector<std::int64_t> padding{};   ///< zeros, or for a max-pool −∞, on each side
  std::vector<std::int64_t> dilation{};  ///< distance of the entries of a window
  std::int64_t groups = 1;               ///< groups of a convolution's channels
  bool ceil_mode = false;                ///< a pool has windows that begin inside and end outside
  bool count_include_pad = true;         ///< an average pool counts zeros at the border
  std::int64_t divisor = 0;  ///< what an average pool divides by; 0: the size of its window
  double slope = 0;          ///< the factor of a rectifier for h ≤ 0
};

/// The way between two taps.
struct Path {
  bool described = false;         ///< it is one straight line of the operations above
  std::vector<PathStep> steps{};  ///< the operations, from the first tap to the second
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
