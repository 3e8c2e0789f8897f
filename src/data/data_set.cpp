#include "descramble/data/data_set.h"

#include <numeric>

#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

at::Tensor DataSet::unprepared(const at::Tensor& input) const {
  return input;
}

Batch DataSet::slice(std::int64_t begin, std::int64_t end) const {
  if (begin < 0 || end < begin || end > size()) {
    throw Error({"no such samples", "", fmt::format("0 <= begin <= end <= {}", size()),
                 fmt::format("begin {}, end {}", begin, end)});
  }
  std::vector<std::int64_t> indices(static_cast<std::size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return gather(indices);
}

}  // namespace descramble
