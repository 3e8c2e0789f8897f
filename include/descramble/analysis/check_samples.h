#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"
#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// From inputs to logits.
using Forward = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Runs the samples in batches of `batch_size` and returns all logits in one tensor.
at::Tensor run_in_batches(const std::vector<at::Tensor>& inputs, std::int64_t batch_size,
                          const Forward& forward);

/// The samples on which certificates are measured, spread evenly over the data, and the outputs of
/// the untouched model for them.
struct CheckSamples {
  std::vector<std::string> names{};     ///< names of the inputs
  std::vector<std::int64_t> indices{};  ///< numbers of the samples in their source
  std::vector<at::Tensor> inputs{};     ///< the inputs, on the model's device
  at::Tensor output{};                  ///< logits of the untouched model
  std::int64_t batch_size = 8;          ///< the samples run in batches of this size
  std::int64_t batch_dim = 0;           ///< the dimension at which the model expects the samples
  /// The model takes only batches of `batch_size`.
  bool only_batch = false;
  /// max|f − f′| / max|f| of two plain runs. If it is more than rounding, the model draws random
  /// numbers.
  double rerun = 0;
  /// The first tap at which a sample's value depends on the other samples of the batch; empty: no
  /// such tap was seen. `mixed_by` is the difference as a share of the largest value.
  std::string mixed_at{};
  double mixed_by = 0;                  ///< the difference there; 0 without such a tap
  std::vector<std::string> warnings{};  ///< what a reader should know, one sentence each

  /// The inputs of the samples that run first together.
  std::vector<at::Tensor> first_batch() const;
  /// max|f − f′| / max|f| of another program on these samples.
  double difference(const Forward& forward) const;
};

/// Takes eight samples, or fewer if the data or the batches are smaller. If the model takes only
/// batches of the source's size, it takes one such batch.
/// @throws Error when the model takes neither, or when its output is not finite
CheckSamples open_check_samples(const Model& model, const Source& source);

/// Checks that two plain runs gave the same: a model that draws random numbers has no certificate.
/// @throws Error if they differ by more than rounding
void require_repeatable(const CheckSamples& check, const Model& model);

}  // namespace descramble
