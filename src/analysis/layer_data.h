#pragma once

#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/subject.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/core/progress.h"
#include "descramble/objective/objective.h"

namespace descramble {

/// A tap and the data that an objective needs from it.
struct Layer {
  TapMoments tap{};  ///< without moments if the objective uses only the weight
  LayerData data{};
};

/// Which values of a tap are used.
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

/// The weight of the layer of a tap, as a matrix [d, fan]. For a linear or convolution layer `NAME`
/// it is out × (in·k·k); for `NAME.input`, the input that the layer mixes, it is the transpose,
/// in × (out·k·k). @throws Error for a tap that does not belong to such a layer
at::Tensor layer_weight(const Model& model, const std::string& tap);

/// What the layer `NAME` adds to its product, [out], float64; undefined if it adds nothing, and for
/// `NAME.input`.
at::Tensor layer_bias(const Model& model, const std::string& tap);

}  // namespace descramble
