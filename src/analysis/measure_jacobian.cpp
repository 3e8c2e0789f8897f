#include "descramble/analysis/measure_jacobian.h"

#include <algorithm>
#include <cmath>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "analysis/chain_jacobians.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/data/batches.h"

namespace descramble {

namespace {

/// Figures of all blocks of a stack: one block for each sample, or with positions one for each
/// place that matters. They are scaled by the size of the first entries that are not zero, so that
/// squares stay in range.
struct BlockFigures {
  double unit = 0;
  at::Tensor mean{};    ///< [o, h], float64
  at::Tensor moment{};  ///< Σ w (J − mean)²
  at::Tensor size{};    ///< mean of |J|
  double squares = 0;   ///< mean over samples of Σ J²
  double blocks = 0;    ///< blocks a sample

  double l1() const { return blocks * size.sum().item<double>(); }  ///< mean over samples of Σ |J|
  double places() const { return blocks * static_cast<double>(mean.numel()); }
  double root_mean_square() const { return squares > 0 ? std::sqrt(squares / places()) : 0; }
  /// The standard deviation.
  at::Tensor spread() const { return (moment / std::max(blocks, 1e-300)).sqrt(); }
};

/// Means and centred moments are merged part by part (Chan, Golub and LeVeque, 1979), so that no
/// figure is the difference of two large sums.
BlockFigures figures_of(const JacobianStack& stack) {
  BlockFigures all{.mean = at::zeros({stack.outputs(), stack.inputs()}, at::kDouble)};
  all.moment = at::zeros_like(all.mean);
  all.size = at::zeros_like(all.mean);
  stack.for_each([&](const JacobianStack::Part& part) {
    check_interrupt();
    const double weight = part.weights.sum().item<double>();
    if (!(weight > 0) || part.blocks.numel() == 0) return;
    at::Tensor blocks =
        part.blocks.to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
    if (all.unit == 0) all.unit = blocks.abs().max().item<double>();
    if (all.unit > 0) blocks.div_(all.unit);
    const at::Tensor mean = (blocks * part.weights).sum(0) / weight;
    const at::Tensor apart = mean - all.mean;
    const double total = all.blocks + weight;
    all.moment += (blocks - mean).square_().mul_(part.weights).sum(0);
    all.moment += apart.square() * (all.blocks * weight / total);
    all.mean += apart * (weight / total);
    all.size += (blocks.abs().mul_(part.weights).sum(0) / weight - all.size) * (weight / total);
    all.squares +=
        blocks.square_().mul_(part.weights).sum().item<double>();  // the last use of them
    all.blocks = total;
  });
  if (all.unit == 0) all.unit = 1;
  return all;
}

/// σ of J at one input; if there is no such matrix, nothing and the reason.
struct Singular {
  at::Tensor values{};
  std::string why{};
};

/// The mean of the inputs as one more sample; nothing if an input is not a floating-point tensor.
std::vector<at::Tensor> mean_input(const Source& source, const std::vector<std::int64_t>& indices) {
  std::vector<at::Tensor> sums;
  bool floating = true;
  const Source in_parts{source.data, 64};
  for_each_batch(in_parts, indices, at::kCPU, [&](const Batch& batch, std::int64_t) {
    for (std::size_t i = 0; i < batch.inputs.size() && floating; ++i) {
      floating = batch.inputs[i].is_floating_point();
      const at::Tensor sum = batch.inputs[i].to(at::kDouble).sum(0, /*keepdim=*/true);
      if (i < sums.size())
        sums[i] += sum;
      else
        sums.push_back(sum);
    }
  });
  if (!floating) return {};
  const Batch like = source.data->gather({indices.front()});
  for (std::size_t i = 0; i < sums.size(); ++i)
    sums[i] = (sums[i] / static_cast<double>(indices.size())).to(like.inputs[i].scalar_type());
  return sums;
}

/// σ₁ ≥ σ₂ ≥ … of J at the mean input. The network may refuse the mean input although it takes all
/// samples.
Singular singular_at_mean(const LayerJacobian& layer, const Source& source,
                          const std::vector<std::int64_t>& indices) {
  if (!layer.has_one_block()) return {};
  std::vector<at::Tensor> mean = mean_input(source, indices);
  if (mean.empty()) return {.why = "the inputs are no floating-point numbers, which have a mean"};
  try {
    // The input is given twice: some networks treat a batch of one differently.
    for (at::Tensor& input : mean) {
      if (source.batch_size != 1) input = at::cat({input, input});
    }
    const at::Tensor there = layer(mean).blocks[0].to(at::kCPU, at::kDouble);
    return {.values = at::linalg_svdvals(there).contiguous()};
  } catch (const Error& error) {
    return {.why = error.what()};
  }
}

void require_keepable(const LayerJacobian& layer, const JacobianStack& stack,
                      std::int64_t memory_mb) {
  if (!layer.has_one_block()) {
    throw Error({"the stack cannot be kept", "keep", "one block a sample",
                 "blocks by position (axis neurons has none)"});
  }
  if (stack.kept()) return;
  const std::int64_t bytes = layer.bytes_of_one() * stack.samples();
  throw Error({"the stack cannot be kept", "keep",
               fmt::format("memory_mb above {}", 2 * ((bytes >> 20) + 1)),
               fmt::format("{}", memory_mb)});
}

}  // namespace

MeasuredJacobian measure_jacobian(const Subject& subject, const JacobianOptions& options,
                                  Progress& progress) {
  const Source& source = subject.source(options.data);
  const std::vector<std::int64_t> indices =
      choose_samples(source.data->size(), options.samples, 0).used;
  const auto layer =
      open_layer(subject, {options.from, options.to, options.axis, options.rows, options.positions},
                 source, indices);
  MeasuredJacobian result{.from = layer->from_space(), .to = layer->to_space()};
  result.samples = std::ssize(indices);
  progress.begin(fmt::format("Jacobians of {} to {}", options.from, options.to), result.samples);
  // A kept stack is in memory twice when it is written.
  const JacobianStack stack = JacobianStack::of(
      layer, source.data, indices, stack_options(subject, source, progress, options.keep ? 2 : 1));
  progress.end();
  if (options.keep) require_keepable(*layer, stack, subject.memory_mb);
  const BlockFigures figures = figures_of(stack);
  const double rms = figures.root_mean_square();
  const double scale = rms > 0 ? rms : 1;
  result.positions = layer->positions();
  result.sampled_positions = layer->sampled_positions();
  result.blocks = figures.blocks;
  result.route = layer->route();
  result.obstacle = layer->obstacle();
  result.constants = layer->constants();
  result.l1 = figures.unit * figures.l1();
  result.frobenius = figures.unit * std::sqrt(figures.squares);
  result.sparsity = rms > 0 ? figures.l1() / (figures.places() * rms) : 0;
  result.rms = figures.unit * rms;
  result.mean = figures.mean * figures.unit;
  result.spread = figures.spread() * figures.unit;
  result.mean_by_rms = figures.mean / scale;
  result.size_by_rms = figures.size / scale;
  if (!(rms > 0)) result.warnings.emplace_back("all Jacobians are zero");
  if (const std::string warning = uncounted_warning(stack); !warning.empty())
    result.warnings.push_back(warning);
  const Singular singular = singular_at_mean(*layer, source, indices);
  result.singular_values = singular.values;
  result.why_no_singular_values = singular.why;
  if (!singular.why.empty())
    result.warnings.push_back("no singular values at the mean input: " + singular.why);
  if (options.keep) {
    std::vector<at::Tensor> blocks;
    stack.for_each([&](const JacobianStack::Part& part) { blocks.push_back(part.blocks.cpu()); });
    result.stack = at::cat(blocks);
  }
  return result;
}

}  // namespace descramble
