#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace descramble {

/// @throws Error for an index outside [0, size)
void check_indices(const std::vector<std::int64_t>& indices, std::int64_t size);

/// The int64 tensor [n] of `values`.
at::Tensor int64_tensor(const std::vector<std::int64_t>& values);

/// Calls `work(i)` for i = 0 … count − 1 on up to at::get_num_threads() threads, each of which gets
/// at least `grain` calls. If calls throw, the exception of the smallest such i comes out.
void for_each_sample(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t)>& work);

}  // namespace descramble
