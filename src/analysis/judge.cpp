#include "analysis/judge.h"

#include <ATen/ops/argmax.h>

#include "descramble/analysis/loss.h"
#include "descramble/core/error.h"

namespace descramble {

std::string reference_name(Reference reference) {
  switch (reference) {
    case Reference::labels:
      return "labels";
    case Reference::targets:
      return "targets";
    case Reference::untouched_class:
      return "untouched class";
    case Reference::untouched_output:
      return "untouched output";
  }
  return "";
}

at::Tensor Judge::truth(const Batch& batch, const at::Tensor& untouched) {
  if (has_labels_) {
    reference = batch.labels.is_floating_point() ? Reference::targets : Reference::labels;
    return batch.labels;
  }
  if (untouched.dim() == 0 || untouched.size(0) != batch.inputs.at(0).size(0)) {
    throw Error(
        {"the output has no place for each sample", "", "[samples, ...]", shape_text(untouched)});
  }
  const bool classes = chosen_ == Reference::untouched_class;
  const at::Tensor logits = classes ? class_logits(untouched) : untouched;
  if (logits.dim() != 2 && classes) {
    throw Error({"the output gives no class", "/reference", "[samples, classes] or [samples]",
                 shape_text(untouched)});
  }
  reference = classes ? Reference::untouched_class : Reference::untouched_output;
  if (classes) return at::argmax(logits, 1);
  // Integers are compared as numbers: they are not classes that logits distinguish.
  return untouched.is_floating_point() ? untouched.clone() : untouched.to(at::kDouble);
}

}  // namespace descramble
