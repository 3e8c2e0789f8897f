#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_gelu() {
  static const LayerKind kind{
      .info = {.name = "gelu", .summary = "x times the normal distribution function of x"},
      .class_name = "activation.GELU",
      .build = [](const LayerBuild& build) { build.forward("torch.gelu(x)"); }};
  return kind;
}

}  // namespace descramble
