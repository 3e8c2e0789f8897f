#include "jacobian/described_path.h"

#include <algorithm>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include "jacobian/masked_product.h"

namespace descramble {

namespace {

bool fits(const PathStep& step, const at::Tensor& argument) {
  switch (step.kind) {
    case PathStep::Kind::convolution:
      return argument.dim() == step.weight.dim();
    case PathStep::Kind::max_pool:
    case PathStep::Kind::average_pool:
      return argument.dim() == 4;
    default:
      return argument.dim() >= 2;
  }
}

bool is_constant(PathStep::Kind kind) {
  return kind == PathStep::Kind::linear || kind == PathStep::Kind::convolution ||
         kind == PathStep::Kind::average_pool || kind == PathStep::Kind::scale ||
         kind == PathStep::Kind::flatten;
}

}  // namespace

PathCheck check_path(const Path& path, const at::Tensor& values, const at::Tensor& out) {
  const at::NoGradGuard no_grad;
  const std::string unseen = "something that the graph does not show";
  at::Tensor value = values;
  std::int64_t widest = value.numel() / value.size(0);
  for (const PathStep& step : path.steps) {
    if (!fits(step, value)) return {step.name + " of values without a batch", widest};
    try {
      value = step_forward(step, value);
    } catch (const c10::Error&) {
      return {unseen, widest};
    }
    if (value.dim() == 0 || value.size(0) != values.size(0)) return {unseen, widest};
    widest = std::max(widest, value.numel() / value.size(0));
  }
  const double allowed =
      (out.scalar_type() == at::kDouble ? 1e-10 : 1e-3) * out.abs().max().item<double>();
  const bool same = value.sizes() == out.sizes() && value.scalar_type() == out.scalar_type() &&
                    (value - out).abs().max().item<double>() <= allowed;
  return {same ? "" : unseen, widest};
}

std::optional<LayerJacobian::Masked> constant_factor(const Path& path, const at::Tensor& values,
                                                     const BlockLayout& layout) {
  if (layout.from_positions != 1 || layout.to_positions != 1) return std::nullopt;
  Path constant = path;
  const auto rectifiers =
      std::count_if(constant.steps.begin(), constant.steps.end(),
                    [](const PathStep& step) { return !is_constant(step.kind); });
  const auto rectifies = [](const PathStep& step) {
    return step.kind == PathStep::Kind::rectifier;
  };
  LayerJacobian::Masked masked;
  if (rectifiers == 1 && rectifies(constant.steps.back())) {
    masked.on_outputs = true;
    constant.steps.pop_back();
  } else if (rectifiers == 1 && rectifies(constant.steps.front())) {
    masked.on_inputs = true;
    constant.steps.erase(constant.steps.begin());
  }
  if (rectifiers != 0 && !masked.on_outputs && !masked.on_inputs) return std::nullopt;
  const at::NoGradGuard no_grad;
  masked.weight = masked_product(constant, values.slice(0, 0, 1), layout.rows, {})
                      .reshape({layout.to.dimension, layout.from.dimension})
                      .to(layout.dtype, /*non_blocking=*/false, /*copy=*/true);
  return masked;
}

}  // namespace descramble
