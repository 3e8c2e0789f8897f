#include "jacobian/block_layout.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/taps/axis.h"
#include "jacobian/finite.h"

namespace descramble {

namespace {

std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// Which positions of a tap count, bool [B, positions]; if there is only one, it counts.
at::Tensor counted_places(const RowSelection& selection, const TapSpace& space, std::int64_t places,
                          const std::vector<at::Tensor>& inputs) {
  std::vector<std::int64_t> sizes{inputs.at(0).size(0)};
  sizes.insert(sizes.end(), space.shape.begin(), space.shape.end());
  if (places == 1) return at::ones({sizes[0], 1}, at::kBool);
  const at::Tensor like = at::zeros({1}).expand(sizes);
  return counted_rows(selection, like, space.axis, inputs).reshape({sizes[0], places});
}

}  // namespace

BlockLayout block_layout(TapSpace from, TapSpace to, const RowSelection& rows,
                         const std::string& between) {
  BlockLayout layout;
  layout.from_positions = count_of(from.shape) / from.dimension;
  layout.to_positions = count_of(to.shape) / to.dimension;
  // Numbers in half precision are exact in single precision, and their sums lose less there.
  layout.dtype = c10::promoteTypes(from.dtype, at::kFloat);
  layout.from = std::move(from);
  layout.to = std::move(to);
  layout.selection = rows;
  layout.between = between;
  return layout;
}

void BlockLayout::sample(const LayerJacobian::Options& options,
                         const std::vector<at::Tensor>& given) {
  std::vector<std::int64_t> chosen =
      random_stream(options.seed, "jacobian/positions").permutation(to_positions);
  if (!selection.all()) {
    if (to_positions == 1 && from_positions == 1) {
      throw Error({"no rows to choose from", between,
                   "a tap with several positions for each sample", "one position at both"});
    }
    at::Tensor some;
    const auto look = [&](const std::vector<at::Tensor>& batch) {
      const at::Tensor here =
          counted_places(selection, to, to_positions, batch).any(0).to(at::kCPU);
      some = some.defined() ? some.logical_or(here) : here;
    };
    look(given);
    if (options.each_batch) options.each_batch(look);
    const bool* counts = some.data_ptr<bool>();
    std::erase_if(chosen, [&](std::int64_t place) { return !counts[place]; });
    if (chosen.empty()) {
      throw Error(
          {"no row of the tap counts", "tap '" + to.name + "'", "at least one position", "none"});
    }
  }
  const std::int64_t positions = std::min(std::max<std::int64_t>(options.positions, 1),
                                          static_cast<std::int64_t>(chosen.size()));
  chosen.resize(static_cast<std::size_t>(positions));
  std::sort(chosen.begin(), chosen.end());
  const at::Tensor places = at::arange(count_of(to.shape), at::kLong);
  const at::Tensor by_position = to.axis == Axis::channels
                                     ? places.reshape({to.dimension, to_positions}).t()
                                     : places.reshape({to_positions, to.dimension});
  rows = by_position.index_select(0, at::tensor(chosen, at::kLong)).reshape({-1});
  sampled = std::move(chosen);
}

at::Tensor BlockLayout::sampled_counts(const std::vector<at::Tensor>& inputs) const {
  return counted_places(selection, to, to_positions, inputs).index_select(1, at::tensor(sampled));
}

at::Tensor BlockLayout::input_counts(const std::vector<at::Tensor>& inputs) const {
  return counted_places(selection, from, from_positions, inputs);
}

JacobianBlocks BlockLayout::cut(const at::Tensor& found, std::int64_t batch,
                                const std::vector<at::Tensor>& inputs) const {
  const std::int64_t h = from.dimension;
  const std::int64_t o = to.dimension;
  const at::Tensor jacobian = found.to(dtype);
  const at::Tensor whole = jacobian.size(0) == batch
                               ? jacobian
                               : jacobian.expand({batch, jacobian.size(1), jacobian.size(2)});
  require_finite(jacobian, "a Jacobian is not finite", between);
  if (has_one_block()) return {whole.contiguous(), {}};
  // [B, p, o, …] to [B, p, p′, o, h]
  const at::Tensor split =
      from.axis == Axis::channels
          ? whole.reshape({batch, positions(), o, h, from_positions}).permute({0, 1, 4, 2, 3})
          : whole.reshape({batch, positions(), o, from_positions, h}).permute({0, 1, 3, 2, 4});
  const at::Tensor blocks = split.reshape({-1, o, h});
  at::Tensor wanted = blocks.flatten(1).ne(0).any(1);
  if (!selection.all()) {
    const at::Tensor both =
        sampled_counts(inputs).unsqueeze(2).logical_and(input_counts(inputs).unsqueeze(1));
    wanted = wanted.logical_and(both.reshape({-1}).to(wanted.device()));
  }
  const at::Tensor kept = wanted.nonzero().flatten();
  return {blocks.index_select(0, kept), at::floor_divide(kept, positions() * from_positions)};
}

}  // namespace descramble
