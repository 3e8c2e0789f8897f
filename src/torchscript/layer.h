#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/core/random.h"

namespace descramble {

/// A layer under construction: what it is given, and what it may add to its module.
struct LayerBuild {
  Settings settings;
  std::vector<std::int64_t> input{};  ///< a sample's shape
  RandomStream& stream;               ///< for initial values
  std::function<void(const std::string& name, const at::Tensor& value)> parameter{};
  std::function<void(const std::string& name, const at::Tensor& value)> buffer{};
  /// Defines forward(self, x) by a TorchScript expression.
  std::function<void(const std::string& expression)> forward{};
};

/// A kind of layer of a `sequential` model.
struct LayerKind {
  KindInfo info{};
  std::string class_name{};  ///< under torch.nn.modules
  /// Whether it takes images (channels x height x width) alone; otherwise samples of any shape.
  bool only_images = false;
  void (*build)(const LayerBuild& build) = nullptr;
};

/// Every kind in src/torchscript/builtin.def. @throws Error for an unknown name
const LayerKind& layer_kind(const std::string& name);

/// Weight of these sizes and bias from U(−1/√fan_in, 1/√fan_in), torch.nn's default.
void add_weight_and_bias(const LayerBuild& build, const std::vector<std::int64_t>& sizes,
                         std::int64_t fan_in, bool bias);

/// A required or optional integer field.
Field layer_integer(const char* name, const char* doc, std::optional<Fallback> fallback,
                    double minimum);
/// "out" and "bias" of layers with weights.
Field layer_out_field();
Field layer_bias_field();

/// "kernel", "stride" and "padding" of a pool, and the arguments that they become.
std::vector<Field> pool_fields();
std::string pool_arguments(const LayerBuild& build);

}  // namespace descramble
