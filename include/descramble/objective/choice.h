#pragma once

#include <functional>
#include <memory>
#include <string>

#include "descramble/objective/loss_objective.h"
#include "descramble/objective/objective.h"
#include "descramble/objective/stencil.h"

namespace [[gnu::visibility("default")]] descramble {

/// The objective that an analysis minimises. The analysis calls `make` when it has the data of the
/// layer that the objective needs.
struct ObjectiveChoice {
  std::string name{};                      ///< "smoothness"
  LayerNeeds needs = LayerNeeds::moments;  ///< what of a layer `make` reads
  /// Makes the objective; throws Error for data that do not suit it.
  std::function<std::unique_ptr<Objective>(const LayerData& layer)> make{};
};

/// Which smoothness is meant; the defaults are those of the kind `smoothness`.
struct SmoothnessOptions {
  Stencil stencil = Stencil::fourier_second;  ///< D, the differentiation stencil
  bool center = true;  ///< the covariance; false: the raw second moment, as descramble.m takes it
  /// Takes the layer's bias off the values: F = W X, as in the paper. A centred F has no bias.
  bool without_bias = false;
  /// The layer's weight W stands beside the values: [μ W, F], μ = ‖F‖₂ / ‖W‖₂.
  bool pair = false;
  /// Multiplies f by d² / (‖DᵀD‖₂ ‖C‖₂), as descramble.m does, to compare losses.
  bool scaled = false;

  /// What of a layer the objective reads.
  LayerNeeds needs() const {
    return pair || without_bias ? LayerNeeds::moments_and_weight : LayerNeeds::moments;
  }
};

/// C of the objective that these options describe (see Smoothness), [d, d], float64:
///     F Fᵀ / N, centred or not, without the bias if asked;
///     for a pair + μ² W Wᵀ / N = F Fᵀ / N + ‖F Fᵀ/N‖₂ / ‖W Wᵀ‖₂ · W Wᵀ;
///     scaled by d² / (‖DᵀD‖₂ ‖C‖₂).
/// @source Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), interpretation.m and descramble.m.
/// @throws Error for a pair with a weight of zeros
at::Tensor smoothness_moment(const SmoothnessOptions& options, const LayerData& layer);

/// ‖D P F‖² / N, minimised (see Smoothness).
ObjectiveChoice smoothness(const SmoothnessOptions& options = {});
/// tr(P W), maximised (see MaximumDiagonalSum). `proper`: rotations only, no reflections.
ObjectiveChoice maximum_diagonal_sum(bool proper = false);
/// Σᵢ (P W)ᵢᵢ², maximised (see MaximumDiagonalNormSquare).
ObjectiveChoice maximum_diagonal_norm_square();
/// Σᵢ mean (P h)ᵢ⁴ of the values, maximised (see Quartimax). `center`: subtracts their mean first.
ObjectiveChoice quartimax(bool center = true);
/// Your own loss of the rotated values (see LossObjective).
ObjectiveChoice tap_loss(TapLoss loss, const std::string& name = "loss");

}  // namespace descramble
