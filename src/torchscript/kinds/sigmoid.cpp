#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_sigmoid() {
  static const LayerKind kind{
      .info = {.name = "sigmoid", .summary = "1 / (1 + exp(-x))"},
      .class_name = "activation.Sigmoid",
      .build = [](const LayerBuild& build) { build.forward("torch.sigmoid(x)"); }};
  return kind;
}

}  // namespace descramble
