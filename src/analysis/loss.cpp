#include "descramble/analysis/loss.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

std::string loss_name(Loss loss) {
  return loss == Loss::cross_entropy ? "cross_entropy" : "mse";
}

Loss parse_loss(const std::string& name) {
  for (const Loss loss : {Loss::cross_entropy, Loss::mean_squared_error}) {
    if (loss_name(loss) == name) return loss;
  }
  throw Error({"unknown loss", "", "'cross_entropy' or 'mse'", "'" + name + "'"});
}

bool has_one_number_each(const at::Tensor& value) {
  return value.dim() == 1 || (value.dim() == 2 && value.size(1) == 1);
}

at::Tensor class_logits(const at::Tensor& output) {
  const bool computes = output.scalar_type() == at::kFloat || output.scalar_type() == at::kDouble;
  const at::Tensor numbers = computes ? output : output.to(at::kDouble);
  if (!has_one_number_each(numbers)) return numbers;
  const at::Tensor logit = numbers.reshape({-1, 1});
  return at::cat({at::zeros_like(logit), logit}, 1);
}

namespace {

at::Tensor class_target(const at::Tensor& output, const at::Tensor& labels) {
  if (output.dim() != 2) {
    throw Error({"classes do not fit the model's output", "output", "samples x classes",
                 shape_text(output)});
  }
  const std::int64_t samples = output.size(0);
  if (labels.dim() != 1 || labels.size(0) != samples) {
    throw Error({"classes do not fit the model's output", "labels",
                 fmt::format("{} classes", samples), shape_text(labels)});
  }
  const at::Tensor classes = labels.to(at::kLong);
  const std::int64_t lowest = classes.min().item<std::int64_t>();
  const std::int64_t highest = classes.max().item<std::int64_t>();
  if (lowest < 0 || highest >= output.size(1)) {
    throw Error({"a label is not among the model's classes", "labels",
                 fmt::format("0 to {}", output.size(1) - 1),
                 fmt::format("{}", lowest < 0 ? lowest : highest)});
  }
  return classes.to(output.device());
}

}  // namespace

at::Tensor loss_target(Loss loss, const at::Tensor& output, const at::Tensor& labels) {
  if (!labels.defined()) throw Error({"no labels", "labels", "a target for each sample", "none"});
  if (!labels.is_floating_point()) {
    const at::Tensor logits = class_logits(output);
    const at::Tensor classes = class_target(logits, labels);
    if (loss == Loss::cross_entropy) return classes;
    if (logits.numel() != output.numel())
      return classes.reshape(output.sizes()).to(output.scalar_type());
    return at::one_hot(classes, output.size(1)).to(output.scalar_type());
  }
  if (loss == Loss::cross_entropy) {
    throw Error({"cross-entropy needs classes", "labels", "integers (or the loss 'mse')",
                 shape_text(labels)});
  }
  // The output with one number per sample may be a column.
  if (has_one_number_each(output) && has_one_number_each(labels) &&
      labels.size(0) == output.size(0))
    return labels.reshape(output.sizes()).to(output.device(), output.scalar_type());
  if (labels.sizes() != output.sizes()) {
    throw Error({"targets do not fit the model's output", "labels",
                 "the output's shape, " + shape_text(output), shape_text(labels)});
  }
  return labels.to(output.device(), output.scalar_type());
}

at::Tensor loss_value(Loss loss, const at::Tensor& output, const at::Tensor& target) {
  return loss == Loss::cross_entropy ? at::cross_entropy_loss(class_logits(output), target)
                                     : at::mse_loss(output, target);
}

}  // namespace descramble
