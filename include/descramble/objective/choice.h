#pragma once

#include <functional>
#include <memory>
#include <string>

#include "descramble/objective/loss_objective.h"
#include "descramble/objective/objective.h"
#include "descramble/objective/stencil.h"

namespace descramble {

/// Which objective an analysis minimises: it makes it once it has what the objective needs of a
/// layer.
struct ObjectiveChoice {
  std::string name{};  ///< "smoothness"
  LayerNeeds needs = LayerNeeds::moments;
  std::function<std::unique_ptr<Objective>(const LayerData& layer)> make{};
};

struct SmoothnessOptions {
  Stencil stencil = Stencil::fourier_second;
  bool center = true;  ///< the covariance; false: the raw second moment, as descramble.m takes it
};

/// ‖D P F‖² / N, minimised (see Smoothness).
ObjectiveChoice smoothness(const SmoothnessOptions& options = {});
/// tr(P W), maximised (see MaximumDiagonalSum). `proper`: rotations only, no reflections.
ObjectiveChoice maximum_diagonal_sum(bool proper = false);
/// Σᵢ (P W)ᵢᵢ², maximised (see MaximumDiagonalNormSquare).
ObjectiveChoice maximum_diagonal_norm_square();
/// Σᵢ mean (P h)ᵢ⁴ of the values, less their mean where `center`, maximised (see Quartimax).
ObjectiveChoice quartimax(bool center = true);
/// A loss of one's own of the rotated values (see LossObjective).
ObjectiveChoice tap_loss(TapLoss loss, const std::string& name = "loss");

}  // namespace descramble
