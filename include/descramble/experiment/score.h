#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace descramble {

/// Accuracy and loss of logits against labels, summed over batches.
struct Score {
  std::int64_t count = 0;
  std::int64_t top1_hits = 0;
  std::int64_t top5_hits = 0;
  double loss_sum = 0;

  /// Adds logits [n, classes] and int64 labels [n]: top-k hits, and the cross-entropy
  /// −log softmax(logits)[label], in float64. Equal logits rank by index.
  /// @throws Error for labels outside [0, classes), floating-point labels, or logits that are no
  /// matrix
  void add(const at::Tensor& logits, const at::Tensor& labels);

  double top1() const { return static_cast<double>(top1_hits) / static_cast<double>(count); }
  double top5() const { return static_cast<double>(top5_hits) / static_cast<double>(count); }
  double loss() const { return loss_sum / static_cast<double>(count); }
};

}  // namespace descramble
