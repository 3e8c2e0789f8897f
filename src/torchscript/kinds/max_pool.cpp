#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_max_pool() {
  static const LayerKind kind{.info = {.name = "max_pool",
                                       .summary = "largest value of each window",
                                       .fields = pool_fields()},
                              .class_name = "pooling.MaxPool2d",
                              .only_images = true,
                              .build = [](const LayerBuild& build) {
                                build.forward("torch.max_pool2d(" + pool_arguments(build) + ")");
                              }};
  return kind;
}

}  // namespace descramble
