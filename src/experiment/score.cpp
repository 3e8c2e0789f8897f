#include "descramble/experiment/score.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log_softmax.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

void Score::add(const at::Tensor& logits, const at::Tensor& labels) {
  if (logits.dim() != 2)
    throw Error(
        {"cannot score the model's output", "logits", "samples x classes", shape_text(logits)});
  if (!labels.defined() || labels.size(0) != logits.size(0)) {
    throw Error({"cannot score the model's output", "labels",
                 fmt::format("{} labels", logits.size(0)),
                 labels.defined() ? fmt::format("{}", labels.size(0)) : "none"});
  }
  if (labels.is_floating_point()) {
    throw Error({"cannot score the model's output", "labels", "classes (integers)",
                 "targets of a regression, " + shape_text(labels)});
  }
  const std::int64_t classes = logits.size(1);
  const at::Tensor scores = logits.detach().to(at::kCPU, at::kDouble);
  const at::Tensor wanted = labels.to(at::kCPU, at::kLong);
  const std::int64_t lowest = wanted.min().item<std::int64_t>();
  const std::int64_t highest = wanted.max().item<std::int64_t>();
  if (lowest < 0 || highest >= classes) {
    throw Error({"a label is not among the model's classes", "labels",
                 fmt::format("0 to {}", classes - 1),
                 fmt::format("{}", lowest < 0 ? lowest : highest)});
  }
  // The rank of the label's logit: how many are larger, or equal and of smaller index.
  const at::Tensor own = scores.gather(1, wanted.unsqueeze(1));
  const at::Tensor index = at::arange(classes, at::kLong).unsqueeze(0);
  const at::Tensor ahead =
      scores.gt(own).logical_or(scores.eq(own).logical_and(index.lt(wanted.unsqueeze(1))));
  const at::Tensor finite = own.isfinite().squeeze(1);
  const at::Tensor rank = ahead.sum(1);
  top1_hits += rank.lt(1).logical_and(finite).sum().item<std::int64_t>();
  top5_hits += rank.lt(5).logical_and(finite).sum().item<std::int64_t>();
  loss_sum -= at::log_softmax(scores, 1).gather(1, wanted.unsqueeze(1)).sum().item<double>();
  count += logits.size(0);
}

}  // namespace descramble
