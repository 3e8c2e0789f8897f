#include "descramble/objective/loss_objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <c10/core/InferenceMode.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

LossObjective::LossObjective(TapValues values, TapLoss loss)
    : values_(std::move(values)), loss_(std::move(loss)) {
  if (!loss_) throw Error({"no loss", name(), "a function of the rotated values", "none"});
}

at::Tensor LossObjective::checked_loss(const at::Tensor& rotated) const {
  at::Tensor loss = loss_(rotated);
  if (!loss.defined() || loss.numel() != 1 || !loss.is_floating_point()) {
    throw Error({"the objective returns no scalar", name(), "one real number",
                 loss.defined() ? shape_text(loss) : "an undefined tensor"});
  }
  return loss.reshape({});
}

double LossObjective::weight_of(const TapValues::Part& part) const {
  return static_cast<double>(part.samples) / static_cast<double>(values_.samples());
}

double LossObjective::value(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  const at::NoGradGuard no_grad;
  double sum = 0;
  values_.for_each([&](const TapValues::Part& part) {
    const at::Tensor matrix = rotation.detach().to(part.rows.device(), at::kDouble);
    const at::Tensor rotated = values_.shaped(at::linear(part.rows, matrix), part.samples);
    sum += checked_loss(rotated).item<double>() * weight_of(part);
  });
  return sum;
}

at::Tensor LossObjective::gradient(const at::Tensor& rotation) const {
  return evaluate(rotation).gradient;
}

Evaluation LossObjective::evaluate(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  const c10::InferenceMode off(false);
  const at::AutoGradMode on(true);
  at::Tensor leaf;
  double sum = 0;
  values_.for_each([&](const TapValues::Part& part) {
    if (!leaf.defined()) {
      leaf = rotation.detach()
                 .to(part.rows.device(), at::kDouble)
                 .clone(at::MemoryFormat::Contiguous)
                 .set_requires_grad(true);
    }
    const at::Tensor rotated = values_.shaped(at::linear(part.rows, leaf), part.samples);
    const at::Tensor loss = checked_loss(rotated);
    if (!loss.requires_grad()) {
      throw Error({"the objective has no gradient", name(),
                   "a differentiable function of the values", "one that autograd cannot follow"});
    }
    sum += loss.item<double>() * weight_of(part);
    // The gradient goes only into P: other tensors of the loss keep their gradients.
    (loss * weight_of(part)).backward({}, c10::nullopt, false, at::TensorList(leaf));
  });
  // A loss of other tensors that need gradients may never touch the values.
  if (!leaf.grad().defined()) {
    throw Error({"the objective has no gradient", name(), "a differentiable function of the values",
                 "one that does not depend on them"});
  }
  return {sum, leaf.grad().to(at::kCPU)};
}

}  // namespace descramble
