#include <fmt/format.h>

#include "descramble/core/error.h"
#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_conv2d() {
  static const LayerKind kind{
      .info = {.name = "conv2d",
               .summary = "2-D convolution with a square kernel",
               .fields = {layer_out_field(),
                          layer_integer("kernel", "side of the kernel", std::nullopt, 1),
                          layer_integer("stride", "step of the kernel", 1, 1),
                          layer_integer("padding", "zeros added on each side", 0, 0),
                          layer_integer("groups", "groups of channels that do not mix", 1, 1),
                          layer_bias_field()}},
      .class_name = "conv.Conv2d",
      .only_images = true,
      .build = [](const LayerBuild& build) {
        const std::int64_t out = build.settings.integer("out");
        const std::int64_t kernel = build.settings.integer("kernel");
        const std::int64_t groups = build.settings.integer("groups");
        const std::int64_t channels = build.input[0];
        if (channels % groups != 0 || out % groups != 0) {
          throw Error({"groups do not divide the channels", "",
                       fmt::format("a divisor of {} and {}", channels, out),
                       std::to_string(groups)});
        }
        const bool bias = build.settings.flag("bias");
        add_weight_and_bias(build, {out, channels / groups, kernel, kernel},
                            channels / groups * kernel * kernel, bias);
        build.forward(
            fmt::format("torch.conv2d(x, self.weight, {0}, [{1}, {1}], [{2}, {2}], [1, 1], {3})",
                        bias ? "self.bias" : "None", build.settings.integer("stride"),
                        build.settings.integer("padding"), groups));
      }};
  return kind;
}

}  // namespace descramble
