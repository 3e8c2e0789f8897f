#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/objective/objective.h"
#include "experiment/tap_pass.h"

namespace descramble {

/// A tap and what an objective needs of it.
struct Layer {
  TapMoments tap{};  ///< without moments where the objective looks at the weight alone
  LayerData data{};
};

/// Gathers what the "objective" of a resolved step needs of each tap: its moments, in one pass for
/// all taps, its values, or the weight of its layer; along its "axis", of its "rows".
/// @throws Error with the tap; for rows of an objective that looks at the weight alone
std::vector<Layer> gather_layers(const Workspace& workspace, const Source& source,
                                 const std::vector<std::string>& taps,
                                 const nlohmann::json& resolved, Progress& progress);

/// The weight that makes the quantities of a tap, as a matrix [d, fan]: of a linear or convolution
/// layer `NAME` its out × (in·k·k); of `NAME.input`, which it mixes, the transpose, in × (out·k·k).
/// @throws Error for a tap that is no such layer's
at::Tensor layer_weight(const Model& model, const std::string& tap);

}  // namespace descramble
