#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/completeness.h"
#include "descramble/data/data_set.h"

namespace descramble {

/// Compares outputs with labels, or with the outputs of the untouched model.
class Judge {
 public:
  /// `chosen`: untouched_class or untouched_output; absent: the labels if there are any, else the
  /// output.
  Judge(bool has_labels, std::optional<Reference> chosen)
      : has_labels_(has_labels && !chosen), chosen_(chosen) {}

  bool needs_untouched() const { return !has_labels_; }
  /// What the outputs of a batch are compared with. @throws Error for outputs that have no place
  /// for each sample, or give no class
  at::Tensor truth(const Batch& batch, const at::Tensor& untouched);

  Reference reference = Reference::labels;  ///< the reference of the last truth

 private:
  bool has_labels_;
  std::optional<Reference> chosen_;
};

}  // namespace descramble
