#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"

namespace [[gnu::visibility("default")]] descramble {

/// A source from samples in the memory of a program. `inputs` [N, …] have the model's own dtype and
/// are already prepared for it. `labels` are integer classes [N], floating-point targets [N, …], or
/// undefined. The tensors are shared, not copied.
///
///     auto data = descramble::tensor_set(images, labels);
///
/// @throws Error for no samples, tensors that differ in their number, or labels of another type
Source tensor_set(const at::Tensor& inputs, const at::Tensor& labels = {},
                  std::int64_t batch_size = 256);

/// The same for a model with several inputs, in the order of its arguments. `names`: one name for
/// each input, for masks and errors; empty: "input", "input_1", …
Source tensor_set(const std::vector<at::Tensor>& inputs, const at::Tensor& labels,
                  std::int64_t batch_size = 256, const std::vector<std::string>& names = {});

}  // namespace descramble
