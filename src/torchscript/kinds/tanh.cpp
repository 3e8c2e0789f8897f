#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_tanh() {
  static const LayerKind kind{
      .info = {.name = "tanh", .summary = "tanh x"},
      .class_name = "activation.Tanh",
      .build = [](const LayerBuild& build) { build.forward("torch.tanh(x)"); }};
  return kind;
}

}  // namespace descramble
