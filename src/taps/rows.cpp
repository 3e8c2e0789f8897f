#include "descramble/taps/rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

/// Sizes of a value without its axis: the samples first, then the positions.
std::vector<std::int64_t> row_sizes(const at::Tensor& value, Axis axis) {
  if (axis == Axis::neurons) return {value.size(0)};
  std::vector<std::int64_t> sizes = value.sizes().vec();
  sizes.erase(axis == Axis::channels ? sizes.begin() + 1 : sizes.end() - 1);
  return sizes;
}

/// The mask without dimensions of size 1 behind the samples, unless it has those of the rows.
at::Tensor without_ones(const at::Tensor& mask, std::size_t dimensions) {
  if (mask.dim() == static_cast<std::int64_t>(dimensions)) return mask;
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < mask.dim(); ++i) {
    if (i == 0 || mask.size(i) != 1) sizes.push_back(mask.size(i));
  }
  return mask.reshape(sizes);
}

/// The entries of each sample but the first `skip` that are set.
at::Tensor without_first(const at::Tensor& mask, std::int64_t skip) {
  const at::Tensor by_sample = mask.reshape({mask.size(0), -1});
  return by_sample.logical_and(by_sample.cumsum(1).gt(skip)).reshape(mask.sizes());
}

/// The mask in the sizes of the rows.
at::Tensor spread(const at::Tensor& mask, const std::vector<std::int64_t>& sizes,
                  const RowSelection& selection) {
  const auto refuse = [&](const char* what) {
    return Error({what, "input '" + selection.mask_name + "'",
                  fmt::format("one entry for each of the tap's rows ({})", fmt::join(sizes, "x")),
                  fmt::format("{}", fmt::join(mask.sizes(), "x"))});
  };
  // A value may have samples and positions in one dimension.
  if (sizes.size() == 1 && mask.numel() == sizes[0]) return mask.reshape(sizes);
  const at::Tensor narrow = without_ones(mask, sizes.size());
  const std::vector<std::int64_t> given = narrow.sizes().vec();
  if (given.empty() || given.size() > sizes.size() || given[0] != sizes[0])
    throw refuse("the mask does not fit the tap's rows");
  const std::size_t lacking = sizes.size() - given.size();
  const auto fits_from = [&](std::size_t first) {
    for (std::size_t i = 1; i < given.size(); ++i) {
      if (given[i] != 1 && given[i] != sizes[first + i]) return false;
    }
    return true;
  };
  const bool leading = fits_from(0);
  const bool trailing = fits_from(lacking);
  if (!leading && !trailing) throw refuse("the mask does not fit the tap's rows");
  if (leading && trailing && lacking > 0 && given.size() > 1)
    throw refuse("the mask fits the tap's rows in two ways");
  at::Tensor wide = narrow;
  for (std::size_t i = 0; i < lacking; ++i) wide = wide.unsqueeze(leading ? -1 : 1);
  return wide.expand(sizes);
}

/// Rows whose place among a sample's is not below `skip`.
at::Tensor behind_first(const std::vector<std::int64_t>& sizes, Axis axis,
                        const RowSelection& selection) {
  const std::vector<std::int64_t> positions(sizes.begin() + 1, sizes.end());
  if (c10::multiply_integers(positions) == 1) {
    throw Error({"no rows to skip", "rows/skip", "a tap with several rows for each sample",
                 fmt::format("one row ({})", axis_name(axis))});
  }
  if (positions.size() > 1) {
    throw Error(
        {"which rows come first is not clear", "rows/skip",
         "one dimension of positions, or a mask with an entry for each position that counts "
         "as one",
         fmt::format("positions {}", fmt::join(positions, "x"))});
  }
  return at::arange(positions[0], at::kLong).ge(selection.skip).expand(sizes);
}

}  // namespace

at::Tensor counted_rows(const RowSelection& selection, const at::Tensor& value, Axis axis,
                        const std::vector<at::Tensor>& inputs) {
  const std::vector<std::int64_t> sizes = row_sizes(value, axis);
  at::Tensor counted = at::ones(sizes, value.options().dtype(at::kBool));
  bool by_position = false;
  if (selection.mask) {
    at::Tensor mask = inputs.at(*selection.mask).to(value.device()).ne(0);
    by_position = mask.dim() > 1 && mask.numel() > mask.size(0);
    if (selection.skip > 0 && by_position) mask = without_first(mask, selection.skip);
    counted = spread(mask, sizes, selection);
  }
  // A mask of whole samples leaves all rows of a sample or none.
  if (selection.skip > 0 && !by_position)
    counted = counted.logical_and(behind_first(sizes, axis, selection).to(value.device()));
  return counted.reshape({-1});
}

at::Tensor to_rows(const at::Tensor& value, Axis axis, const RowSelection& selection,
                   const std::vector<at::Tensor>& inputs) {
  const at::Tensor rows = to_rows(value, axis);
  if (selection.all()) return rows;
  const at::Tensor kept = counted_rows(selection, value, axis, inputs).nonzero().flatten();
  return rows.index_select(0, kept);
}

}  // namespace descramble
