#include <fmt/format.h>

#include "torchscript/layer.h"

namespace descramble {

const LayerKind& layer_kind_dropout() {
  static const LayerKind kind{
      .info = {.name = "dropout",
               .summary = "zeroes values at random while training",
               .fields = {{.name = "p",
                           .type = FieldType::number,
                           .doc = "probability of zero",
                           .fallback = 0.5,
                           .minimum = 0,
                           .maximum = 1}}},
      .class_name = "dropout.Dropout",
      .build = [](const LayerBuild& build) {
        build.forward(
            fmt::format("torch.dropout(x, {:.17g}, self.training)", build.settings.number("p")));
      }};
  return kind;
}

}  // namespace descramble
