#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_batch_norm() {
  static const LayerKind kind{
      .info = {.name = "batch_norm",
               .summary = "batch normalisation over the channels (the first dimension of a sample)",
               .fields = {{.name = "momentum",
                           .type = FieldType::number,
                           .doc = "weight of the new batch in the running statistics",
                           .fallback = 0.1,
                           .minimum = 0,
                           .maximum = 1},
                          {.name = "eps",
                           .type = FieldType::number,
                           .doc = "added to the variance",
                           .fallback = 1e-5,
                           .minimum = 0}}},
      .class_name = "batchnorm.BatchNorm2d",
      .build = [](const LayerBuild& build) {
        const std::int64_t channels = build.input[0];
        build.parameter("weight", at::ones({channels}));
        build.parameter("bias", at::zeros({channels}));
        build.buffer("running_mean", at::zeros({channels}));
        build.buffer("running_var", at::ones({channels}));
        build.forward(fmt::format(
            "torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, "
            "self.training, {}, {}, False)",
            build.settings.number("momentum"), build.settings.number("eps")));
      }};
  return kind;
}

}  // namespace descramble
