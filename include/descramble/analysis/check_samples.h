#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"
#include "descramble/model/model.h"

namespace descramble {

/// From inputs to logits.
using Forward = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// The logits of samples that run in batches of `batch_size`, put together.
at::Tensor run_in_batches(const std::vector<at::Tensor>& inputs, std::int64_t batch_size,
                          const Forward& forward);

/// Samples that certificates are given on, spread evenly over the data, and what the untouched
/// model says of them.
struct CheckSamples {
  std::vector<std::string> names{};  ///< of the inputs
  std::vector<std::int64_t> indices{};
  std::vector<at::Tensor> inputs{};  ///< on the model's device
  at::Tensor output{};
  std::int64_t batch_size = 8;  ///< they run in batches of this many
  std::int64_t batch_dim = 0;   ///< where the model expects the samples
  /// The model takes batches of `batch_size` and no others.
  bool only_batch = false;
  double rerun = 0;  ///< max|f − f′| / max|f| of two plain runs: more than rounding is chance
  /// The first tap at which a sample's value depends on its companions in the batch, and by how
  /// much of its largest value; empty: none was seen.
  std::string mixed_at{};
  double mixed_by = 0;
  std::vector<std::string> warnings{};

  std::vector<at::Tensor> first_batch() const;
  /// max|f − f′| / max|f| of another program on these samples.
  double difference(const Forward& forward) const;
};

/// Eight samples where there are as many, fewer where batches are smaller. Where the model takes
/// none but batches of the source's size, as many as one of those.
/// @throws Error when the model takes neither, or when its output is not finite
CheckSamples open_check_samples(const Model& model, const Source& source);

/// A model that draws random numbers has no certificate. @throws Error
void require_repeatable(const CheckSamples& check, const Model& model);

}  // namespace descramble
