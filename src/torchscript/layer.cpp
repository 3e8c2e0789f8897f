#include "torchscript/layer.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace descramble {

void add_weight_and_bias(const LayerBuild& build, const std::vector<std::int64_t>& sizes,
                         std::int64_t fan_in, bool bias) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  build.parameter("weight", build.stream.uniform_tensor(sizes, -bound, bound));
  if (bias) build.parameter("bias", build.stream.uniform_tensor({sizes[0]}, -bound, bound));
}

Field layer_integer(const char* name, const char* doc, std::optional<Fallback> fallback,
                    double minimum) {
  return {.name = name,
          .type = FieldType::integer,
          .doc = doc,
          .fallback = std::move(fallback),
          .minimum = minimum};
}

Field layer_out_field() {
  return {.name = "out",
          .type = FieldType::integer,
          .doc = "outputs (channels of a convolution)",
          .minimum = 1};
}

Field layer_bias_field() {
  return {.name = "bias",
          .type = FieldType::boolean,
          .doc = "whether it adds a bias",
          .fallback = true};
}

std::vector<Field> pool_fields() {
  return {layer_integer("kernel", "side of the window", std::nullopt, 1),
          layer_integer("stride", "step of the window; null: the kernel", nullptr, 1),
          layer_integer("padding", "added on each side", 0, 0)};
}

std::string pool_arguments(const LayerBuild& build) {
  const std::int64_t kernel = build.settings.integer("kernel");
  return fmt::format("x, [{0}, {0}], [{1}, {1}], [{2}, {2}]", kernel,
                     build.settings.find_integer("stride").value_or(kernel),
                     build.settings.integer("padding"));
}

}  // namespace descramble
