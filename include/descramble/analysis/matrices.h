#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"
#include "descramble/reading/reading.h"

namespace [[gnu::visibility("default")]] descramble {

/// The weight of a linear or convolution layer in rotated bases: P W P'ᵀ, [out, in·k·k], float64. P
/// rotates the layer's output and P' its input; an undefined one leaves that side alone. Columns
/// have the scale of the data's input where the layer reads the first input itself, and rows that
/// of the labels where the layer makes the output.
/// @throws Error for a layer without a weight, or a rotation of another size
MatrixView weight_view(const Subject& subject, const std::string& layer,
                       const at::Tensor& left = {}, const at::Tensor& right = {});

/// The mean of a source's inputs.
struct InputMeans {
  std::vector<at::Tensor> means{};  ///< the mean of each input, [1, …] in the model's dtype
  double spread = 0;                ///< root of the mean variance of the first input's numbers
};

/// One pass over a source. @throws Error for inputs that have no mean (integers)
InputMeans mean_inputs(const Subject& subject, Split data, Progress& progress = Progress::none());

/// J = ∂h_to/∂h_from at the mean input of a source. It has one row for each quantity of the tap: a
/// feature's positions [T, d], and a channel's [C, H, W], stand one after the other in its row. Its
/// left singular vectors are the directions of those quantities that the input moves most.
/// @throws Error as measure_jacobian does
MatrixView jacobian_at_mean(const Subject& subject, const std::string& from, const std::string& to,
                            Split data, const InputMeans& means,
                            Progress& progress = Progress::none());

/// How a Jacobian is estimated from random directions.
struct NoiseOptions {
  std::int64_t samples = 1000;  ///< random directions v ~ N(0, I)
  double size = 0.01;           ///< ε, relative to the root mean square of the inputs' spread
};

/// U Σ of the same Jacobian from the input, [d, d], for Jacobians that do not fit into memory: the
/// eigenvectors and roots of the eigenvalues of J Jᵀ ≈ mean (δh/ε)(δh/ε)ᵀ, δh = h(x̄ + εv) − h(x̄).
/// Rows are the quantities of the tap; positions are rows of the mean.
/// @throws Error for inputs that have no spread
MatrixView noise_jacobian_at_mean(const Subject& subject, const std::string& to, Split data,
                                  const InputMeans& means, const NoiseOptions& options = {},
                                  Progress& progress = Progress::none());

/// The same network as before any training, for controls.
struct UntrainedTwin {
  Subject subject;  ///< the network before training, with the same data
  /// Parameters that kept their trained values, since their names do not say how they begin.
  std::vector<std::string> kept{};
};

/// Copies the network and resets it from the seed: a parameter of two or more dimensions becomes
/// uniform in ±1/√fan_in, a bias the same with the fan_in of its layer, the weight of a
/// normalisation 1, running means 0 and running variances 1. The original is not changed.
/// @throws Error for a network that cannot be copied, or that has no parameter to reset (a frozen
/// one holds its weights as constants)
UntrainedTwin untrained_twin(const Subject& subject, std::uint64_t seed);

}  // namespace descramble
