#include "descramble/analysis/ablation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

/// Rows [N, d] in float64. Those of channels are laid out column by column, as the value is, so
/// that neither way costs a transposition.
at::Tensor double_rows(const at::Tensor& value, Axis axis) {
  const std::int64_t d = axis_size(value, axis);
  const at::Tensor rows =
      axis == Axis::channels ? value.movedim(1, 0).reshape({d, -1}).t() : value.reshape({-1, d});
  return rows.to(at::kDouble, false, /*copy=*/true);
}

/// Rows in the place of a value: its sizes, dtype and memory order.
void write_rows(const at::Tensor& rows, Axis axis, at::Tensor& value) {
  if (axis != Axis::channels) {
    value.copy_(rows.reshape(value.sizes()));
    return;
  }
  at::Tensor channels_first = value.movedim(1, 0);
  channels_first.copy_(rows.t().reshape(channels_first.sizes()));
}

}  // namespace

Ablation::Ablation(Axis axis, at::Tensor target, std::vector<AblationPath> paths)
    : axis_(axis), target_(std::move(target)), paths_(std::move(paths)) {
  for (const AblationPath& path : paths_) {
    if (path.directions.size(0) == dimension()) continue;
    throw Error({"directions do not fit the target", "", fmt::format("{} x k", dimension()),
                 fmt::format("{} x {}", path.directions.size(0), path.directions.size(1))});
  }
}

void Ablation::require_dimension(const at::Tensor& value) const {
  const std::int64_t d = axis_size(value, axis_);
  if (d == dimension()) return;
  throw Error({"the value does not fit the bases", "", fmt::format("d = {}", dimension()),
               fmt::format("d = {}", d)});
}

void Ablation::run(const SplitModel& split, const Cut& cut, const std::vector<std::int64_t>& counts,
                   const Visit& visit, const at::Tensor& counted) const {
  if (counts.empty()) return;
  require_dimension(cut.value);
  const std::int64_t d = dimension();
  if (counts.front() == 0) {
    const at::Tensor logits = split.suffix(cut);
    for (std::size_t path = 0; path < paths_.size(); ++path) visit(path, 0, logits);
  }
  const at::Device device = cut.value.device();
  const at::Tensor target = target_.to(device);
  at::Tensor value = at::empty_like(cut.value);
  for (std::size_t path = 0; path < paths_.size(); ++path) {
    const std::vector<std::int64_t>& order = paths_[path].order;
    at::Tensor rows = double_rows(cut.value, axis_);
    std::int64_t done = 0;
    for (const std::int64_t count : counts) {
      if (count == 0 || count == d || count > static_cast<std::int64_t>(order.size())) continue;
      const std::vector<std::int64_t> next(order.begin() + done, order.begin() + count);
      const at::Tensor block =
          paths_[path].directions.index_select(1, at::tensor(next, at::kLong)).to(device);
      at::Tensor components = rows.matmul(block).sub_(target.matmul(block));
      if (counted.defined()) components.mul_(counted.unsqueeze(1));
      rows.addmm_(components, block.t(), 1, -1);
      done = count;
      write_rows(rows, axis_, value);
      visit(path, count, split.suffix(cut.with(value)));
    }
  }
  if (counts.back() != d) return;
  at::Tensor rows = double_rows(cut.value, axis_);
  if (counted.defined())
    rows = at::where(counted.unsqueeze(1), target.expand_as(rows), rows);
  else
    rows.copy_(target.expand_as(rows));
  write_rows(rows, axis_, value);
  const at::Tensor logits = split.suffix(cut.with(value));
  for (std::size_t path = 0; path < paths_.size(); ++path) {
    if (static_cast<std::int64_t>(paths_[path].order.size()) == d) visit(path, d, logits);
  }
}

void Ablation::run_whole(const std::function<at::Tensor(const Replace& replace)>& run,
                         const std::vector<std::int64_t>& counts, const Visit& visit,
                         const at::Tensor& counted) const {
  const std::int64_t d = dimension();
  const auto run_with = [&](const std::function<at::Tensor(const at::Tensor& rows)>& ablated) {
    return run([&](const at::Tensor& value) {
      require_dimension(value);
      const c10::AutoGradMode gradients(value.requires_grad());
      const at::Tensor rows = to_rows(value, axis_).to(at::kDouble);
      at::Tensor result = ablated(rows);
      if (counted.defined()) result = at::where(counted.unsqueeze(1), result, rows);
      return from_rows(result.to(value.scalar_type()), value, axis_);
    });
  };
  for (const std::int64_t count : counts) {
    if (count == 0 || count == d) {
      // The same for all paths. A path of fewer than d directions never ablates everything.
      const at::Tensor output =
          count == 0 ? run([](const at::Tensor& value) { return value; })
                     : run_with([&](const at::Tensor& rows) {
                         const at::Tensor everywhere = target_.to(rows.device()).expand_as(rows);
                         // A derivative with respect to what is ablated is zero, and still there.
                         return rows.requires_grad() ? everywhere + 0 * rows : everywhere;
                       });
      for (std::size_t path = 0; path < paths_.size(); ++path) {
        if (count == 0 || static_cast<std::int64_t>(paths_[path].order.size()) == d)
          visit(path, count, output);
      }
      continue;
    }
    for (std::size_t path = 0; path < paths_.size(); ++path) {
      const std::vector<std::int64_t>& order = paths_[path].order;
      if (count > static_cast<std::int64_t>(order.size())) continue;
      const std::vector<std::int64_t> gone(order.begin(), order.begin() + count);
      visit(path, count, run_with([&](const at::Tensor& rows) {
              const at::Tensor block = paths_[path]
                                           .directions.index_select(1, at::tensor(gone, at::kLong))
                                           .to(rows.device());
              return rows - (rows - target_.to(rows.device())).matmul(block).matmul(block.t());
            }));
    }
  }
}

}  // namespace descramble
