#pragma once

#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/subject.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/core/progress.h"
#include "descramble/objective/objective.h"

namespace descramble {

/// A tap and what an objective needs of it.
struct Layer {
  TapMoments tap{};  ///< without moments where the objective looks at the weight alone
  LayerData data{};
};

/// What of a tap is looked at.
struct LayerView {
  LayerNeeds needs = LayerNeeds::moments;
  std::optional<Axis> axis{};  ///< absent: the default of each tap
  RowSelection rows{};
};

/// Gathers what an objective needs of each tap: its moments, in one pass for all taps, its values,
/// or the weight of its layer. @throws Error with the tap; for rows of an objective that looks at
/// the weight alone
std::vector<Layer> gather_layers(const Subject& subject, const Source& source,
                                 const std::vector<std::string>& taps, const LayerView& view,
                                 Progress& progress);

/// The weight that makes the quantities of a tap, as a matrix [d, fan]: of a linear or convolution
/// layer `NAME` its out × (in·k·k); of `NAME.input`, which it mixes, the transpose, in × (out·k·k).
/// @throws Error for a tap that is no such layer's
at::Tensor layer_weight(const Model& model, const std::string& tap);

}  // namespace descramble
