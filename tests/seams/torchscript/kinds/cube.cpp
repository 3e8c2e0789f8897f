#include "torchscript/layer.h"

namespace descramble {

/// x³, a layer that no other file knows.
const LayerKind& layer_kind_cube() {
  static const LayerKind kind{.info = {.name = "cube", .summary = "x to the third power"},
                              .class_name = "activation.Cube",
                              .build = [](const LayerBuild& build) { build.forward("x * x * x"); }};
  return kind;
}

}  // namespace descramble
