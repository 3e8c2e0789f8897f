#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"
#include "descramble/taps/space.h"

namespace [[gnu::visibility("default")]] descramble {

/// Which Jacobian is measured, and from which data.
struct JacobianOptions {
  std::string from{};           ///< the tap on the input side
  std::string to{};             ///< the tap on the output side
  std::int64_t samples = 2048;  ///< inputs for the Jacobians, spread evenly over the data
  std::int64_t positions = 8;   ///< sampled output positions, if a tap has positions
  bool keep = false;            ///< return the whole stack
  std::optional<Axis> axis{};   ///< absent: the default of each tap
  RowSelection rows{};          ///< rows that count
  Split data = Split::train;    ///< the source of the samples
};

/// J(x) = ∂h_to/∂h_from over some samples. With positions, the mean is taken over the blocks
/// ∂h_to[:, p]/∂h_from[:, p′] that are not zero by structure.
struct MeasuredJacobian {
  TapSpace from{};             ///< the space of h_from, of dimension h
  TapSpace to{};               ///< the space of h_to, of dimension o
  std::int64_t samples = 0;    ///< the number of samples that the figures below are means over
  std::int64_t positions = 1;  ///< sampled output positions
  std::vector<std::int64_t> sampled_positions{};  ///< their numbers
  double blocks = 0;                              ///< mean number of blocks of a sample
  std::string route{};                            ///< the route of LayerJacobian
  std::string obstacle{};  ///< the reason why the route is not masked_product; empty: it is
  std::vector<std::string> constants{};  ///< see LayerJacobian::constants
  double l1 = 0;                         ///< mean over samples of Σ|J|
  double frobenius = 0;                  ///< √(mean over samples of Σ J²)
  double sparsity = 0;  ///< Σ|J| / (√(numel)·‖J‖_F): 0.80 for Gaussian entries, 1 for equal ones
  double rms = 0;       ///< root mean square of the entries
  at::Tensor mean{};         ///< [o, h], float64
  at::Tensor spread{};       ///< the standard deviation of each entry
  at::Tensor mean_by_rms{};  ///< mean J over the root mean square of all entries
  at::Tensor size_by_rms{};  ///< mean |J| over the same
  /// At the mean input, descending; undefined: there are none, see `why_no_singular_values`.
  at::Tensor singular_values{};
  std::string why_no_singular_values{};  ///< empty: there are some, or blocks by position
  at::Tensor stack{};                    ///< [samples, o, h] if `keep` was set
  std::vector<std::string> warnings{};   ///< what a reader should know, one sentence each
};

/// Measures the Jacobian between two taps over some samples of a source.
/// @throws Error for taps without a path between them, a Jacobian that does not exist or is not
/// finite, a stack that does not fit under the ceiling
MeasuredJacobian measure_jacobian(const Subject& subject, const JacobianOptions& options,
                                  Progress& progress = Progress::none());

}  // namespace descramble
