#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_flatten() {
  static const LayerKind kind{
      .info = {.name = "flatten", .summary = "one vector a sample"},
      .class_name = "flatten.Flatten",
      .build = [](const LayerBuild& build) { build.forward("torch.flatten(x, 1)"); }};
  return kind;
}

}  // namespace descramble
