#include "data/samples.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

void check_indices(const std::vector<std::int64_t>& indices, std::int64_t size) {
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= size) {
      throw Error({"no such sample", "", fmt::format("an index from 0 to {}", size - 1),
                   std::to_string(index)});
    }
  }
}

at::Tensor int64_tensor(const std::vector<std::int64_t>& values) {
  at::Tensor result = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), result.data_ptr<std::int64_t>());
  return result;
}

void for_each_sample(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t)>& work) {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::exception_ptr error;
  std::int64_t error_index = count;
  // Indices are handed out in ascending order, so those below a failing one have all been begun.
  const auto run = [&] {
    while (!failed) {
      const std::int64_t begin = next.fetch_add(grain);
      for (std::int64_t i = begin; i < std::min(begin + grain, count); ++i) {
        try {
          work(i);
        } catch (...) {
          const std::lock_guard lock(mutex);
          failed = true;
          if (i < error_index) {
            error_index = i;
            error = std::current_exception();
          }
          break;
        }
      }
      if (begin + grain >= count) break;
    }
  };
  const std::int64_t threads =
      std::min<std::int64_t>(at::get_num_threads(), (count + grain - 1) / grain);
  {
    std::vector<std::jthread> pool;
    for (std::int64_t i = 1; i < threads; ++i) pool.emplace_back(run);
    run();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace descramble
