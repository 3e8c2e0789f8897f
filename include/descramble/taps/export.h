#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"
#include "descramble/taps/axis.h"

namespace [[gnu::visibility("default")]] descramble {

/// A rotation to be written into a model behind a tap point (or NAME.input).
struct RotationEdit {
  std::string tap{};            ///< a point, or NAME.input
  Axis axis = Axis::features;   ///< the dimension that P acts on
  std::int64_t dimensions = 2;  ///< number of dimensions of the tapped value
  at::Tensor rotation{};        ///< P, [d, d], float64
  /// Of the tapped value; Undefined: the model's.
  at::ScalarType dtype = at::ScalarType::Undefined;
};

/// What became of one side of a pair: P on the left of the value, Pᵀ on its right.
struct RotationSide {
  std::string tap{};     ///< the tap of the edit
  std::string side{};    ///< "left" (W′ = P W, b′ = P b) or "right" (W′ = W Pᵀ)
  std::string module{};  ///< the linear or convolution layer that took it in; empty: kept explicit
  std::string why{};     ///< reason for staying explicit
  std::string buffer{};  ///< name of the explicit matrix in the model
  at::Tensor weight{};   ///< the weight of the module, before
  at::Tensor weight_descrambled{};  ///< the weight of the module, after
};

/// An exported model and where its rotations went.
struct ExportedModel {
  Model model;                        ///< plain TorchScript, in eval mode
  std::vector<RotationSide> sides{};  ///< two for each edit, left then right
};

/// Public methods of the model besides the one that runs.
std::vector<std::string> other_methods(const Model& model);

/// Checks that the model can be exported.
/// @throws Error naming a scripted hook, whose calls no copy of the module keeps
void require_exportable(const Model& model);

/// A copy of the model that computes the same function, with h → Pᵀ(P h) at every edit's tap: plain
/// TorchScript, no operator of ours. P and Pᵀ are folded into a linear or convolution layer beside
/// the tap where that is exact, and stay explicit operations otherwise. Module names stay what they
/// were; another instance of an edited module's class is not touched. Unless the model's policy is
/// `live`, the copy holds the state that the model started with.
/// @throws Error for an unknown tap, a tap that is named twice, or one that no graph can be edited
/// at
ExportedModel export_model(const Model& model, const std::vector<RotationEdit>& edits);

}  // namespace descramble
