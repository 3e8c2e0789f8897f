#include "data/samples.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>

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

namespace {

/// Samples that threads take in turns. A thread that comes too late does not touch the work.
class SharedSamples {
 public:
  SharedSamples(std::int64_t count, std::int64_t grain,
                const std::function<void(std::int64_t)>& work)
      : count_(count), grain_(grain), work_(work), error_index_(count) {}

  /// Takes samples until none is left.
  void help() {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      ++helpers_;
    }
    take_all();
    const std::lock_guard lock(mutex_);
    if (--helpers_ == 0) all_left_.notify_all();
  }

  /// Waits for those that help. @throws what the call for the smallest index threw
  void finish() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    all_left_.wait(lock, [this] { return helpers_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Indices are handed out in ascending order, so those below a failing one have all been begun.
  void take_all() {
    while (!failed_) {
      const std::int64_t begin = next_.fetch_add(grain_);
      for (std::int64_t i = begin; i < std::min(begin + grain_, count_); ++i) {
        try {
          work_(i);
        } catch (...) {
          const std::lock_guard lock(mutex_);
          failed_ = true;
          if (i < error_index_) {
            error_index_ = i;
            error_ = std::current_exception();
          }
          break;
        }
      }
      if (begin + grain_ >= count_) break;
    }
  }

  std::int64_t count_;
  std::int64_t grain_;
  const std::function<void(std::int64_t)>& work_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_{};
  std::condition_variable all_left_{};
  std::int64_t helpers_ = 0;
  bool closed_ = false;
  std::exception_ptr error_{};
  std::int64_t error_index_;
};

}  // namespace

void for_each_sample(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t)>& work) {
  const std::int64_t threads =
      std::min<std::int64_t>(at::get_num_threads(), (count + grain - 1) / grain);
  // The threads are LibTorch's, which live as long as the process. at::parallel_for would need a
  // build with OpenMP: without it, LibTorch's header is a plain loop.
  const auto samples = std::make_shared<SharedSamples>(count, grain, work);
  for (std::int64_t i = 1; i < threads; ++i) at::launch([samples] { samples->help(); });
  samples->help();
  samples->finish();
}

}  // namespace descramble
