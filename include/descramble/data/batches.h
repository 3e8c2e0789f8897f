#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"

namespace [[gnu::visibility("default")]] descramble {

/// Receives some samples, with inputs on the device of a model, and the index of the first sample.
using VisitBatch = std::function<void(const Batch& batch, std::int64_t begin)>;

/// Visits the samples of a source in order, batch_size of them at a time.
/// @throws Interrupted if the user asked to stop
void for_each_batch(const Source& source, at::Device device, const VisitBatch& visit);

/// The same for the samples `indices` only; `begin` counts along `indices`.
void for_each_batch(const Source& source, const std::vector<std::int64_t>& indices,
                    at::Device device, const VisitBatch& visit);

/// The same for a data set without a batch size of its own.
void for_each_batch(const DataSet& data, const std::vector<std::int64_t>& indices,
                    std::int64_t batch_size, at::Device device, const VisitBatch& visit);

/// The same source with floating-point inputs and labels in `dtype`.
Source with_dtype(const Source& source, at::ScalarType dtype);

/// The same source with its first samples only, at most `size`.
Source with_size(const Source& source, std::int64_t size);

}  // namespace descramble
