#pragma once

#include <map>
#include <string>
#include <vector>

#include <torch/csrc/jit/api/module.h>

#include "descramble/model/model.h"
#include "descramble/taps/export.h"
#include "torchscript/span.h"
#include "torchscript/survey.h"

namespace descramble {

/// Tells which layers of a model can take a rotation in.
class LayerFolding {
 public:
  /// `survey` is the model's, and outlives this object.
  LayerFolding(const TorchScript& script, const Survey& survey);

  /// Why the layer at `path` cannot take a rotation in; empty: it can.
  std::string obstacle(const RotationEdit& edit, const std::string& path, bool input_side) const;

 private:
  /// Whether another method reads the layer's weights elsewhere than by the call that is edited.
  bool reads_apart(const Survey& other, const std::string& path) const;

  torch::jit::Module original_;
  const Survey& survey_;
  std::map<std::string, Survey> others_{};  ///< of the model's other methods
  std::vector<Span> spans_;
  std::map<std::string, const void*> objects_;
};

/// W′ = P W and b′ = P b in the layer, which stands at `path`; `side` tells of it.
void fold_into_outputs(const at::Tensor& rotation, const std::string& path,
                       torch::jit::Module layer, RotationSide& side);
/// W′ = W Pᵀ.
void fold_into_inputs(const at::Tensor& rotation, const std::string& path, torch::jit::Module layer,
                      RotationSide& side);

}  // namespace descramble
