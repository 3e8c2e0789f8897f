#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/loss.h"

namespace descramble {

/// Accuracy and loss of a model's outputs against labels, summed over batches.
struct Score {
  /// Left out: cross-entropy for integer labels, the mean squared error for floating-point ones.
  std::optional<Loss> loss_kind{};
  std::int64_t count = 0;  ///< samples
  std::int64_t top1_hits = 0;
  std::int64_t top5_hits = 0;
  double loss_sum = 0;
  std::int64_t loss_terms = 0;  ///< samples for the cross-entropy, elements for the squared error
  bool has_accuracy = false;    ///< labels were classes
  std::vector<std::int64_t> sample_shape{};  ///< of the outputs (of their logits, for classes)
  double target_squares = 0;                 ///< Σ f² of floating-point targets
  double cosine_sum = 0;                     ///< of outputs and targets, summed over samples

  /// Adds outputs and labels. Integer labels [n], the classes of logits [n, classes], give top-k
  /// hits (equal logits rank by index) and the loss; one logit a sample tells two classes apart
  /// (see class_logits); floating-point targets of the output's shape give the squared error alone.
  /// In float64.
  /// @throws Error for labels that do not fit the outputs (see loss_target), and for outputs whose
  /// shape is not that of the first ones
  void add(const at::Tensor& outputs, const at::Tensor& labels);

  double top1() const { return static_cast<double>(top1_hits) / static_cast<double>(count); }
  double top5() const { return static_cast<double>(top5_hits) / static_cast<double>(count); }
  double loss() const { return loss_sum / static_cast<double>(loss_terms); }
  /// √(Σ‖f′ − f‖² / Σ‖f‖²) of outputs f′ and floating-point targets f.
  double relative_error() const;
  /// Mean of ⟨f′, f⟩ / (‖f′‖ ‖f‖) over samples.
  double cosine() const { return cosine_sum / static_cast<double>(count); }
};

/// How many logits [n, classes] stand before the one of each sample's class [n]: larger ones, and
/// equal ones of smaller index. 0: the sample is right.
at::Tensor class_ranks(const at::Tensor& logits, const at::Tensor& classes);

}  // namespace descramble
