#include "descramble/objective/jacobian_loss.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "descramble/core/error.h"
#include "jacobian/by_autograd.h"

namespace descramble {

JacobianLoss::JacobianLoss(const Model& model, std::string from, std::string to,
                           std::vector<at::Tensor> inputs, JacobianLossFunction loss)
    : tapped_(tap_model(model, {from, to})),
      from_(std::move(from)),
      to_(std::move(to)),
      inputs_(std::move(inputs)),
      loss_(std::move(loss)) {
  for (at::Tensor& input : inputs_) input = input.to(model.device());
  bool met = false;
  const Watch watch = tapped_.observe(from_, [&](const at::Tensor& value) {
    met = true;
    if (value.dim() != 2 || !value.is_floating_point()) {
      throw Error({"no Jacobian loss at tap '" + from_ + "'", model.name(),
                   "floating-point values [batch, d]", fmt::format("{} dimensions", value.dim())});
    }
    dimension_ = value.size(1);
    rounding_ = value.scalar_type() == at::kDouble ? 1e-14 : 1e-7;
  });
  const c10::AutoGradMode off(false);
  tapped_.forward_until(to_, inputs_);
  if (!met) {
    throw Error({"no Jacobian between taps '" + from_ + "' and '" + to_ + "'", model.name(),
                 fmt::format("'{}' to come before '{}'", from_, to_), "the other order"});
  }
}

std::string JacobianLoss::name() const {
  return fmt::format("Jacobian loss of '{}' to '{}'", from_, to_);
}

double JacobianLoss::value(const at::Tensor& rotation) const {
  return evaluate(rotation).value;
}
at::Tensor JacobianLoss::gradient(const at::Tensor& rotation) const {
  return evaluate(rotation).gradient;
}

Evaluation JacobianLoss::evaluate(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  const c10::AutoGradMode on(true);
  const at::Tensor point = rotation.detach().to(at::kCPU, at::kDouble).clone().requires_grad_(true);
  at::Tensor rotated;
  const Watch watch = tapped_.replace(from_, [&](const at::Tensor& value) {
    const at::Tensor p = point.to(value.device(), value.scalar_type());
    rotated = value.detach().matmul(p.t());
    return rotated.matmul(p);
  });
  const at::Tensor out = tapped_.forward_until(to_, inputs_);
  const at::Tensor rows = at::arange(out.numel() / out.size(0), at::kLong);
  const at::Tensor loss = loss_(jacobian_by_vjp(rotated, out, rows, /*keep_graph=*/true));
  if (!loss.defined() || loss.numel() != 1 || !loss.is_floating_point()) {
    throw Error({"the loss is no number", name(), "one real number",
                 loss.defined() ? fmt::format("{} numbers", loss.numel()) : "nothing"});
  }
  if (!loss.requires_grad()) {
    throw Error({"no gradient reaches the rotation", name(),
                 "a differentiable function of the Jacobians", "one that autograd cannot follow"});
  }
  const auto gradient = torch::autograd::grad({loss}, {point}, {}, /*retain_graph=*/false, false,
                                              /*allow_unused=*/true)[0];
  if (!gradient.defined()) {
    throw Error({"no gradient reaches the rotation", name(),
                 "a differentiable function of the Jacobians", "none"});
  }
  return {loss.item<double>(), gradient.detach()};
}

}  // namespace descramble
