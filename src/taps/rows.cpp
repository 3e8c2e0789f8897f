#include "descramble/taps/rows.h"

#include <ATen/TensorOperators.h>
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

/// The mask in the sizes of the rows.
at::Tensor spread(const at::Tensor& mask, const std::vector<std::int64_t>& sizes,
                  const RowSelection& selection) {
  const auto refuse = [&](const char* what) {
    return Error({what, "input '" + selection.mask_name + "'",
                  fmt::format("one entry for each of the tap's rows ({})", fmt::join(sizes, "x")),
                  fmt::format("{}", fmt::join(mask.sizes(), "x"))});
  };
  // A value may have samples and positions in one dimension.
  if (mask.numel() == c10::multiply_integers(sizes) && (sizes.size() == 1 || mask.dim() == 1))
    return mask.reshape(sizes);
  const std::vector<std::int64_t> given = mask.sizes().vec();
  const std::size_t lacking = sizes.size() < given.size() ? 0 : sizes.size() - given.size();
  const bool leading =
      given.size() <= sizes.size() && std::equal(given.begin(), given.end(), sizes.begin());
  const bool trailing =
      !given.empty() && given.size() <= sizes.size() && given[0] == sizes[0] &&
      std::equal(given.begin() + 1, given.end(), sizes.end() - (std::ssize(given) - 1));
  if (!leading && !trailing) throw refuse("the mask does not fit the tap's rows");
  if (leading && trailing && lacking > 0 && given.size() > 1)
    throw refuse("the mask fits the tap's rows in two ways");
  at::Tensor wide = mask;
  for (std::size_t i = 0; i < lacking; ++i) wide = wide.unsqueeze(leading ? -1 : 1);
  return wide.expand(sizes);
}

}  // namespace

at::Tensor counted_rows(const RowSelection& selection, const at::Tensor& value, Axis axis,
                        const std::vector<at::Tensor>& inputs) {
  const std::vector<std::int64_t> sizes = row_sizes(value, axis);
  at::Tensor counted = at::ones(sizes, value.options().dtype(at::kBool));
  if (selection.mask)
    counted = spread(inputs.at(*selection.mask).to(value.device()).ne(0), sizes, selection);
  if (selection.skip > 0) {
    const std::int64_t positions =
        c10::multiply_integers(sizes) / std::max<std::int64_t>(1, sizes[0]);
    if (positions == 1) {
      throw Error({"no rows to skip", "rows/skip", "a tap with several rows for each sample",
                   fmt::format("one row ({})", axis_name(axis))});
    }
    const at::Tensor by_sample = counted.reshape({sizes[0], positions});
    counted = by_sample.logical_and(by_sample.cumsum(1).gt(selection.skip));
  }
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
