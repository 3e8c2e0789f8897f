#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"

namespace descramble {

/// Some samples, their inputs on the device of a model, and the place of the first one among all.
using VisitBatch = std::function<void(const Batch& batch, std::int64_t begin)>;

/// Visits the samples of a source in order, batch_size of them at a time.
/// @throws Interrupted if the user asked to stop
void for_each_batch(const Source& source, at::Device device, const VisitBatch& visit);

/// The same for samples `indices` alone; `begin` counts along them.
void for_each_batch(const Source& source, const std::vector<std::int64_t>& indices,
                    at::Device device, const VisitBatch& visit);

void for_each_batch(const DataSet& data, const std::vector<std::int64_t>& indices,
                    std::int64_t batch_size, at::Device device, const VisitBatch& visit);

/// The same source with floating-point inputs and labels in `dtype`.
Source with_dtype(const Source& source, at::ScalarType dtype);

/// Its first samples only, `size` of them at most.
Source with_size(const Source& source, std::int64_t size);

}  // namespace descramble
