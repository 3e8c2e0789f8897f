#include "descramble/taps/path.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "descramble/core/error.h"
#include "descramble/model/network.h"

namespace descramble {

Path find_path(const Model& model, const std::string& from, const std::string& to) {
  if (from == to) {
    throw Error({"a path needs two taps", model.name(), "different ones", "'" + from + "' twice"});
  }
  return model.network().path(from, to);
}

at::Tensor step_forward(const PathStep& step, const at::Tensor& value) {
  switch (step.kind) {
    case PathStep::Kind::linear:
      return step.bias.defined() ? at::linear(value, step.weight, step.bias)
                                 : at::linear(value, step.weight);
    case PathStep::Kind::convolution:
      return at::convolution(value, step.weight, step.bias, step.stride, step.padding,
                             step.dilation, false, std::vector<std::int64_t>(step.stride.size(), 0),
                             step.groups);
    case PathStep::Kind::rectifier:
      return step.slope == 0 ? at::relu(value) : at::leaky_relu(value, step.slope);
    case PathStep::Kind::max_pool:
      return at::max_pool2d(value, step.kernel, step.stride, step.padding, step.dilation,
                            step.ceil_mode);
    case PathStep::Kind::average_pool:
      return at::avg_pool2d(
          value, step.kernel, step.stride, step.padding, step.ceil_mode, step.count_include_pad,
          step.divisor > 0 ? c10::optional<std::int64_t>(step.divisor) : c10::nullopt);
    case PathStep::Kind::scale: {
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(value.dim()), 1);
      sizes.at(1) = -1;
      return value * step.weight.view(sizes) + step.bias.view(sizes);
    }
    case PathStep::Kind::flatten:
      return value.flatten(1);
  }
  return value;
}

}  // namespace descramble
