#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_linear() {
  static const LayerKind kind{
      .info = {.name = "linear",
               .summary = "W x + b over the last dimension",
               .fields = {layer_out_field(), layer_bias_field()}},
      .class_name = "linear.Linear",
      .build = [](const LayerBuild& build) {
        const bool bias = build.settings.flag("bias");
        const std::int64_t out = build.settings.integer("out");
        add_weight_and_bias(build, {out, build.input.back()}, build.input.back(), bias);
        build.forward(bias ? "torch.linear(x, self.weight, self.bias)"
                           : "torch.linear(x, self.weight)");
      }};
  return kind;
}

}  // namespace descramble
