#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"

namespace descramble {

/// The preparation of one input of a source: reshape, then (value·scale − mean) / std.
struct Preparation {
  std::optional<std::vector<std::int64_t>> shape{};  ///< of a sample
  std::optional<double> scale{};
  at::Tensor mean{};  ///< broadcasts against a sample; undefined: none
  at::Tensor std{};

  /// Prepares a batch [n, …]. Integers stay integers if only `shape` is given, and become float32
  /// otherwise.
  at::Tensor apply(at::Tensor values) const;
  /// The inverse of scale, mean and std; the shape stays.
  at::Tensor undo(at::Tensor values) const;
};

/// The fields shape, scale, mean and std; if nothing is scaled, `scale` is `unscaled`.
std::vector<Field> preparation_fields(const Fallback& unscaled);

/// Whether `settings` ask for any preparation.
bool prepares(const Settings& settings);

/// Reads those fields for an input of which `one` is a sample, [1, …].
/// @throws Error for a shape or a number of values that does not fit
Preparation read_preparation(const Settings& settings, const at::Tensor& one,
                             const std::string& pointer);

}  // namespace descramble
