#include "descramble/analysis/score.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log_softmax.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

at::Tensor class_ranks(const at::Tensor& logits, const at::Tensor& classes) {
  const at::Tensor label = classes.unsqueeze(1);
  const at::Tensor own = logits.gather(1, label);
  const at::Tensor index = at::arange(logits.size(1), at::kLong).unsqueeze(0);
  const at::Tensor ahead = logits.gt(own).logical_or(logits.eq(own).logical_and(index.lt(label)));
  // A NaN ranks neither before nor behind other numbers, so it is not a hit.
  return ahead.sum(1).masked_fill(own.isfinite().squeeze(1).logical_not(), logits.size(1) + 5);
}

void Score::add(const at::Tensor& outputs, const at::Tensor& labels) {
  const bool classes = labels.defined() && !labels.is_floating_point();
  const at::Tensor given = outputs.detach().to(at::kCPU, at::kDouble);
  const at::Tensor values = classes ? class_logits(given) : given;
  if (values.dim() == 0) {
    throw Error({"the output has no place for each sample", "output", "[samples, ...]",
                 shape_text(outputs)});
  }
  if (count == 0) sample_shape = values.sizes().slice(1).vec();
  if (values.sizes().slice(1) != at::IntArrayRef(sample_shape)) {
    throw Error({"the output's shape changes from batch to batch",
                 fmt::format("output, from sample {} on", count),
                 fmt::format("samples of shape [{}]", fmt::join(sample_shape, ", ")),
                 shape_text(outputs)});
  }
  const Loss kind = loss_kind.value_or(classes ? Loss::cross_entropy : Loss::mean_squared_error);
  const at::Tensor target = loss_target(kind, values, labels);
  if (classes) {
    const at::Tensor rank = class_ranks(values, labels.to(at::kCPU, at::kLong));
    top1_hits += rank.lt(1).sum().item<std::int64_t>();
    top5_hits += rank.lt(5).sum().item<std::int64_t>();
  }
  if (kind == Loss::cross_entropy) {
    loss_sum -= at::log_softmax(values, 1).gather(1, target.unsqueeze(1)).sum().item<double>();
    loss_terms += values.size(0);
  } else {
    loss_sum += (values - target).square().sum().item<double>();
    target_squares += target.square().sum().item<double>();
    const at::Tensor own = values.reshape({values.size(0), -1});
    const at::Tensor others = target.reshape({target.size(0), -1});
    const at::Tensor sizes = own.norm(2, 1) * others.norm(2, 1);
    cosine_sum += ((own * others).sum(1) / sizes.clamp_min(1e-300)).sum().item<double>();
    loss_terms += values.numel();
  }
  loss_kind = kind;
  has_accuracy = classes;
  count += values.size(0);
}

double Score::relative_error() const {
  if (loss_sum == 0) return 0;
  return std::sqrt(loss_sum / target_squares);
}

}  // namespace descramble
