#pragma once

#include <functional>
#include <memory>
#include <string>

#include "descramble/objective/loss_objective.h"
#include "descramble/objective/objective.h"
#include "descramble/objective/stencil.h"

namespace descramble {

/// The objective that an analysis minimises. The analysis calls `make` when it has the data of the
/// layer that the objective needs.
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
/// Σᵢ mean (P h)ᵢ⁴ of the values, maximised (see Quartimax). `center`: subtracts their mean first.
ObjectiveChoice quartimax(bool center = true);
/// Your own loss of the rotated values (see LossObjective).
ObjectiveChoice tap_loss(TapLoss loss, const std::string& name = "loss");

}  // namespace descramble
