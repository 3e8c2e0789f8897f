#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_relu() {
  static const LayerKind kind{
      .info = {.name = "relu", .summary = "max(x, 0)"},
      .class_name = "activation.ReLU",
      .build = [](const LayerBuild& build) { build.forward("torch.relu(x)"); }};
  return kind;
}

}  // namespace descramble
