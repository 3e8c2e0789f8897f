#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/loss.h"

namespace [[gnu::visibility("default")]] descramble {

/// Accuracy and loss of a model's outputs against labels, summed over batches.
struct Score {
  /// Absent: cross-entropy for integer labels, mean squared error for floating-point labels.
  std::optional<Loss> loss_kind{};
  std::int64_t count = 0;       ///< samples
  std::int64_t top1_hits = 0;   ///< samples whose class has the largest logit
  std::int64_t top5_hits = 0;   ///< samples whose class has one of the five largest logits
  double loss_sum = 0;          ///< the sum of the loss over all terms
  std::int64_t loss_terms = 0;  ///< samples for the cross-entropy, elements for the squared error
  bool has_accuracy = false;    ///< the labels were classes
  /// The shape of an output (of its logits, for classes), without the batch.
  std::vector<std::int64_t> sample_shape{};
  double target_squares = 0;  ///< Σ f² of floating-point targets
  double cosine_sum = 0;      ///< Σ ⟨f′, f⟩ / (‖f′‖ ‖f‖) over samples

  /// Adds outputs and labels, in float64. Integer labels [n], the classes of logits [n, classes],
  /// give top-k hits (equal logits rank by index) and the loss. One logit per sample distinguishes
  /// two classes (see class_logits). Floating-point targets of the output's shape give only the
  /// squared error.
  /// @throws Error for labels that do not fit the outputs (see loss_target), and for outputs with
  /// another shape than the first outputs
  void add(const at::Tensor& outputs, const at::Tensor& labels);

  /// Accuracy, from 0 to 1.
  double top1() const { return static_cast<double>(top1_hits) / static_cast<double>(count); }
  /// The share of samples whose class has one of the five largest logits.
  double top5() const { return static_cast<double>(top5_hits) / static_cast<double>(count); }
  /// Mean loss: over samples for the cross-entropy, over elements for the squared error.
  double loss() const { return loss_sum / static_cast<double>(loss_terms); }
  /// √(Σ‖f′ − f‖² / Σ‖f‖²) of outputs f′ and floating-point targets f.
  double relative_error() const;
  /// Mean of ⟨f′, f⟩ / (‖f′‖ ‖f‖) over samples.
  double cosine() const { return cosine_sum / static_cast<double>(count); }
};

/// For each sample, how many logits [n, classes] rank before the logit of the sample's class [n]:
/// larger logits, and equal logits of smaller index. 0: the sample is right.
at::Tensor class_ranks(const at::Tensor& logits, const at::Tensor& classes);

}  // namespace descramble
