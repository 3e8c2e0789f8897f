#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_avg_pool() {
  static const LayerKind kind{
      .info = {.name = "avg_pool", .summary = "mean of each window", .fields = pool_fields()},
      .class_name = "pooling.AvgPool2d",
      .only_images = true,
      .build = [](const LayerBuild& build) {
        // C++'s resolver knows torch.avg_pool2d only through torch._C._nn; the operator itself is
        // aten::avg_pool2d.
        build.forward("torch.avg_pool2d(" + pool_arguments(build) + ")");
      }};
  return kind;
}

}  // namespace descramble
