#include <algorithm>
#include <cmath>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/interrupt.h"
#include "experiment/chain.h"
#include "experiment/tap_pass.h"

namespace descramble {

namespace {

using nlohmann::json;

/// Figures of all blocks of a stack: one for each sample, with positions one for each place that
/// matters.
struct Measured {
  at::Tensor mean{};    ///< [o, h], float64
  at::Tensor moment{};  ///< Σ w (J − mean)²
  at::Tensor size{};    ///< mean of |J|
  double squares = 0;   ///< mean over samples of Σ J²
  double blocks = 0;    ///< blocks a sample

  double l1() const { return blocks * size.sum().item<double>(); }  ///< mean over samples of Σ |J|
  double places() const { return blocks * static_cast<double>(mean.numel()); }
  /// The standard deviation.
  at::Tensor spread() const { return (moment / std::max(blocks, 1e-300)).sqrt(); }
};

/// Means and centred moments are merged part by part (Chan, Golub and LeVeque, 1979): nothing is
/// the difference of two large sums.
Measured measure(const JacobianStack& stack) {
  Measured all{.mean = at::zeros({stack.outputs(), stack.inputs()}, at::kDouble)};
  all.moment = at::zeros_like(all.mean);
  all.size = at::zeros_like(all.mean);
  stack.for_each([&](const JacobianStack::Part& part) {
    check_interrupt();
    const double weight = part.weights.sum().item<double>();
    if (!(weight > 0)) return;
    const at::Tensor blocks = part.blocks.to(at::kCPU, at::kDouble);
    const at::Tensor mean = (blocks * part.weights).sum(0) / weight;
    const at::Tensor apart = mean - all.mean;
    const double total = all.blocks + weight;
    all.moment += ((blocks - mean).square() * part.weights).sum(0);
    all.moment += apart.square() * (all.blocks * weight / total);
    all.mean += apart * (weight / total);
    all.size += ((blocks.abs() * part.weights).sum(0) / weight - all.size) * (weight / total);
    all.squares += (blocks.square() * part.weights).sum().item<double>();
    all.blocks = total;
  });
  return all;
}

Picture picture_of(const at::Tensor& matrix, const std::string& title, const std::string& label,
                   const std::string& from, const std::string& to) {
  const at::Tensor values = matrix.contiguous();
  const auto* begin = values.data_ptr<double>();
  return {.title = title,
          .x_title = from,
          .y_title = to,
          .label = label,
          .rows = static_cast<std::size_t>(values.size(0)),
          .columns = static_cast<std::size_t>(values.size(1)),
          .values = {begin, begin + values.numel()}};
}

/// The mean of the inputs as one sample more; nothing where an input is no floating-point tensor.
std::vector<at::Tensor> mean_input(const DataSet& data, const std::vector<std::int64_t>& indices) {
  std::vector<at::Tensor> sums;
  constexpr std::size_t batch_size = 64;
  for (std::size_t begin = 0; begin < indices.size(); begin += batch_size) {
    const std::size_t end = std::min(indices.size(), begin + batch_size);
    const Batch batch = data.gather({indices.begin() + static_cast<std::ptrdiff_t>(begin),
                                     indices.begin() + static_cast<std::ptrdiff_t>(end)});
    for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
      if (!batch.inputs[i].is_floating_point()) return {};
      const at::Tensor sum = batch.inputs[i].to(at::kDouble).sum(0, /*keepdim=*/true);
      if (i < sums.size())
        sums[i] += sum;
      else
        sums.push_back(sum);
    }
  }
  const Batch like = data.gather({indices.front()});
  for (std::size_t i = 0; i < sums.size(); ++i)
    sums[i] = (sums[i] / static_cast<double>(indices.size())).to(like.inputs[i].scalar_type());
  return sums;
}

StepResult run_jacobian(const json& resolved, const Workspace& workspace, Progress& progress) {
  const std::string from = resolved.at("from");
  const std::string to = resolved.at("to");
  const std::string split = resolved.at("data");
  const Source& source = workspace.source(split);
  const auto layer = open_layer(workspace, from, to, resolved.at("axis"), resolved.at("positions"));
  const std::vector<std::int64_t> indices =
      choose_samples(source.data->size(), resolved.at("samples"), 0).used;
  const auto count = static_cast<std::int64_t>(indices.size());
  progress.begin(fmt::format("Jacobians of {} to {}", from, to), count);
  const JacobianStack stack =
      JacobianStack::of(layer, source.data, indices, stack_options(workspace, source, progress));
  progress.end();
  if (resolved.at("keep") && (!stack.kept() || layer->positions() > 1)) {
    throw Error({"the stack cannot be kept", "keep",
                 fmt::format("one block a sample, and {} MB under memory_mb",
                             layer->bytes_of_one() * count >> 20),
                 layer->positions() > 1 ? "blocks by position"
                                        : fmt::format("memory_mb {}", workspace.memory_mb)});
  }
  const Measured measured = measure(stack);
  const double rms = measured.squares > 0 ? std::sqrt(measured.squares / measured.places()) : 0;
  const double sparsity = rms > 0 ? measured.l1() / (measured.places() * rms) : 0;

  StepResult result;
  const std::string name = from + ".." + to;
  result.tensors[name + ".mean"] = measured.mean;
  result.tensors[name + ".spread"] = measured.spread();
  result.json = {
      {"data", split},
      {"from",
       {{"name", from}, {"shape", layer->from_shape()}, {"axis", axis_name(layer->from_axis())}}},
      {"to", {{"name", to}, {"shape", layer->to_shape()}, {"axis", axis_name(layer->to_axis())}}},
      {"samples", count},
      {"positions", layer->positions()},
      {"blocks", measured.blocks},
      {"route", layer->route()},
      {"obstacle", layer->obstacle().empty() ? json() : json(layer->obstacle())},
      {"l1", measured.l1()},
      {"frobenius", std::sqrt(measured.squares)},
      {"sparsity", sparsity}};
  result.lines.push_back(fmt::format("{} ({}, {}) to {} ({}, {}), {} samples, {}", from,
                                     fmt::join(layer->from_shape(), "x"), layer->inputs(), to,
                                     fmt::join(layer->to_shape(), "x"), layer->outputs(), count,
                                     layer->route()));
  if (!layer->obstacle().empty())
    result.lines.push_back("  no masked product: " + layer->obstacle());
  result.lines.push_back(
      fmt::format("  sum |J| {:.6g} a sample, root of the mean ||J||^2 {:.6g}, sparsity {:.3f} "
                  "(0.80: Gaussian entries, 1: equal)",
                  measured.l1(), std::sqrt(measured.squares), sparsity));
  result.json["singular_values"] = json();
  const std::vector<at::Tensor> mean = mean_input(*source.data, indices);
  if (layer->positions() == 1 && !mean.empty()) {
    const JacobianBlocks there = (*layer)(mean);
    if (there.blocks.size(0) == 1) {
      const at::Tensor singular =
          at::linalg_svdvals(there.blocks[0].to(at::kCPU, at::kDouble)).contiguous();
      const auto* begin = singular.data_ptr<double>();
      const std::vector<double> values(begin, begin + singular.numel());
      result.tensors[name + ".singular_values"] = singular;
      result.json["singular_values"] = values;
      result.lines.push_back(fmt::format(
          "  singular values at the mean input: {:.4g}",
          fmt::join(values.begin(),
                    values.begin() + std::min<std::ptrdiff_t>(8, std::ssize(values)), ", ")));
      Series series{.label = "at the mean input"};
      for (std::size_t i = 0; i < values.size(); ++i) {
        series.x.push_back(static_cast<double>(i + 1));
        series.y.push_back(values[i]);
      }
      result.figures.push_back(
          {"jacobian_singular_values", Figure{.title = "Singular values of the Jacobian, " + name,
                                              .x_title = "number",
                                              .y_title = "singular value",
                                              .series = {series}}});
    }
  }
  const double scale = rms > 0 ? rms : 1;
  result.figures.push_back(
      {"jacobian_mean", picture_of((measured.mean / scale).abs(), "Mean Jacobian, " + name,
                                   "|mean J| / rms", from, to)});
  result.figures.push_back(
      {"jacobian_size", picture_of(measured.size / scale, "Size of the Jacobian, " + name,
                                   "mean |J| / rms", from, to)});
  if (resolved.at("keep")) {
    std::vector<at::Tensor> blocks;
    stack.for_each([&](const JacobianStack::Part& part) { blocks.push_back(part.blocks.cpu()); });
    result.tensors[name + ".stack"] = at::cat(blocks);
  }
  return result;
}

}  // namespace

const StepKind& step_kind_jacobian() {
  static const StepKind kind{
      .info = {.name = "jacobian",
               .summary = "The Jacobian of one tap's value with respect to another's: mean, "
                          "spread, singular values, pictures",
               .formula = "J(x) = dh_to / dh_from",
               .fields =
                   {{.name = "from", .type = FieldType::string, .doc = "the tap on the input side"},
                    {.name = "to", .type = FieldType::string, .doc = "the tap on the output side"},
                    {.name = "samples",
                     .type = FieldType::integer,
                     .doc = "inputs whose Jacobians are taken, evenly out of the data",
                     .fallback = 2048,
                     .minimum = 1},
                    {.name = "positions",
                     .type = FieldType::integer,
                     .doc = "sampled output positions where a tap has positions (channels, "
                            "tokens)",
                     .fallback = 8,
                     .minimum = 1},
                    {.name = "keep",
                     .type = FieldType::boolean,
                     .doc = "write the whole stack into the result's tensors",
                     .fallback = false},
                    axis_field(),
                    data_field("train")}},
      .run = run_jacobian};
  return kind;
}

}  // namespace descramble
