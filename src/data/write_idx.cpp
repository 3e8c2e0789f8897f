#include "descramble/data/write_idx.h"

#include <algorithm>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/idx_file.h"
#include "descramble/core/error.h"

namespace descramble {

void write_idx(const DataSet& data, const std::filesystem::path& images,
               const std::filesystem::path& labels) {
  if (!data.has_labels()) throw Error({"write_idx", images.string(), "data with labels", "none"});
  const std::int64_t size = data.size();
  at::Tensor bytes;
  at::Tensor classes = at::empty({size}, at::kByte);
  constexpr std::int64_t step = 1024;
  for (std::int64_t begin = 0; begin < size; begin += step) {
    const std::int64_t end = std::min(begin + step, size);
    const Batch batch = data.slice(begin, end);
    const at::Tensor& input = batch.inputs.at(0);
    if (batch.inputs.size() != 1 || input.dim() != 4 || input.size(1) != 1) {
      throw Error({"write_idx", images.string(), "one input of N x 1 x H x W",
                   fmt::format("{}, the first of {}", batch.inputs.size(),
                               fmt::join(input.sizes(), " x "))});
    }
    const double low = input.min().item<double>();
    const double high = input.max().item<double>();
    if (!(low >= 0 && high <= 1)) {
      throw Error({"write_idx", images.string(), "values in [0, 1]",
                   fmt::format("values from {} to {}", low, high)});
    }
    if (batch.labels.is_floating_point()) {
      throw Error({"write_idx", labels.string(), "classes as labels", "floating-point targets"});
    }
    const auto last = batch.labels.max().item<std::int64_t>();
    const auto first = batch.labels.min().item<std::int64_t>();
    if (first < 0 || last > 255) {
      throw Error({"write_idx", labels.string(), "labels from 0 to 255",
                   std::to_string(first < 0 ? first : last)});
    }
    if (!bytes.defined()) bytes = at::empty({size, input.size(2), input.size(3)}, at::kByte);
    bytes.slice(0, begin, end).copy_(input.squeeze(1).mul(255).round());
    classes.slice(0, begin, end).copy_(batch.labels);
  }
  write_idx_file(bytes, images);
  write_idx_file(classes, labels);
}

}  // namespace descramble
