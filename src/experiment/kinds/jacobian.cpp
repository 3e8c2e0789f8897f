#include <algorithm>
#include <cmath>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/taps/path.h"
#include "experiment/chain.h"
#include "experiment/tap_pass.h"

namespace descramble {

namespace {

using nlohmann::json;

/// Figures of all blocks of a stack: one for each sample, with positions one for each place that
/// matters. In units of the first entries that are not zero, so that squares stay in range.
struct Measured {
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

/// Means and centred moments are merged part by part (Chan, Golub and LeVeque, 1979): nothing is
/// the difference of two large sums.
Measured measure(const JacobianStack& stack) {
  Measured all{.mean = at::zeros({stack.outputs(), stack.inputs()}, at::kDouble)};
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

/// σ of J at one input; nothing, and why, where there is no such matrix.
struct Singular {
  at::Tensor values{};
  std::string why{};
};

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

/// σ₁ ≥ σ₂ ≥ … of J at the mean input, which the network may take amiss where it takes all samples.
Singular singular_at_mean(const LayerJacobian& layer, const DataSet& data,
                          const std::vector<std::int64_t>& indices, bool alone) {
  if (!layer.has_one_block()) return {};
  std::vector<at::Tensor> mean = mean_input(data, indices);
  if (mean.empty()) return {.why = "the inputs are no floating-point numbers, which have a mean"};
  try {
    // Twice: some networks take a batch of one apart.
    for (at::Tensor& input : mean) {
      if (!alone) input = at::cat({input, input});
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

StepResult run_jacobian(const json& resolved, const Workspace& workspace, Progress& progress) {
  const std::string from = resolved.at("from");
  const std::string to = resolved.at("to");
  const std::string split = resolved.at("data");
  const bool keep = resolved.at("keep");
  const Source& source = workspace.source(split);
  const std::vector<std::int64_t> indices =
      choose_samples(source.data->size(), resolved.at("samples"), 0).used;
  const auto layer =
      open_layer(workspace, from, to, resolved, resolved.at("positions"), source, indices);
  const auto count = static_cast<std::int64_t>(indices.size());
  progress.begin(fmt::format("Jacobians of {} to {}", from, to), count);
  // What is kept is there twice when it is written.
  const JacobianStack stack = JacobianStack::of(
      layer, source.data, indices, stack_options(workspace, source, progress, keep ? 2 : 1));
  progress.end();
  if (keep) require_keepable(*layer, stack, workspace.memory_mb);
  const Measured measured = measure(stack);
  const double rms = measured.root_mean_square();
  const double sparsity = rms > 0 ? measured.l1() / (measured.places() * rms) : 0;
  const double l1 = measured.unit * measured.l1();
  const double frobenius = measured.unit * std::sqrt(measured.squares);

  StepResult result;
  json warnings = json::array();
  const std::string name = from + ".." + to;
  result.tensors[name + ".mean"] = measured.mean * measured.unit;
  result.tensors[name + ".spread"] = measured.spread() * measured.unit;
  result.json = {{"data", split},
                 {"from",
                  {{"name", from},
                   {"shape", layer->from_space().shape},
                   {"axis", axis_name(layer->from_space().axis)}}},
                 {"to",
                  {{"name", to},
                   {"shape", layer->to_space().shape},
                   {"axis", axis_name(layer->to_space().axis)}}},
                 {"samples", count},
                 {"positions", layer->positions()},
                 {"sampled_positions", layer->sampled_positions()},
                 {"blocks", measured.blocks},
                 {"route", layer->route()},
                 {"obstacle", layer->obstacle().empty() ? json() : json(layer->obstacle())},
                 {"constants", layer->constants()},
                 {"l1", l1},
                 {"frobenius", frobenius},
                 {"sparsity", sparsity}};
  result.lines.push_back(fmt::format(
      "{} ({}, {}) to {} ({}, {}), {} samples, {}", from, fmt::join(layer->from_space().shape, "x"),
      layer->from_space().dimension, to, fmt::join(layer->to_space().shape, "x"),
      layer->to_space().dimension, count, layer->route()));
  if (!layer->obstacle().empty())
    result.lines.push_back("  no masked product: " + layer->obstacle());
  if (!layer->constants().empty())
    result.lines.push_back(
        fmt::format("  taken as constant: {}", fmt::join(layer->constants(), ", ")));
  result.lines.push_back(
      fmt::format("  sum |J| {:.6g} a sample, root of the mean ||J||^2 {:.6g}, sparsity {:.3f} "
                  "(0.80: Gaussian entries, 1: equal)",
                  l1, frobenius, sparsity));
  if (!(rms > 0)) warnings.push_back("all Jacobians are zero");
  if (const std::string warning = uncounted_warning(stack); !warning.empty())
    warnings.push_back(warning);
  result.json["singular_values"] = json();
  const Singular singular = singular_at_mean(*layer, *source.data, indices, source.batch_size == 1);
  if (!singular.why.empty())
    warnings.push_back("no singular values at the mean input: " + singular.why);
  if (singular.values.defined()) {
    const auto* begin = singular.values.data_ptr<double>();
    const std::vector<double> values(begin, begin + singular.values.numel());
    result.tensors[name + ".singular_values"] = singular.values;
    result.json["singular_values"] = values;
    result.lines.push_back(fmt::format(
        "  singular values at the mean input: {:.4g}",
        fmt::join(values.begin(), values.begin() + std::min<std::ptrdiff_t>(8, std::ssize(values)),
                  ", ")));
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
  for (const json& warning : warnings)
    result.lines.push_back("  warning: " + warning.get<std::string>());
  result.json["warnings"] = std::move(warnings);
  const double scale = rms > 0 ? rms : 1;
  result.figures.push_back(
      {"jacobian_mean", picture_of((measured.mean / scale).abs(), "Mean Jacobian, " + name,
                                   "|mean J| / rms", from, to)});
  result.figures.push_back(
      {"jacobian_size", picture_of(measured.size / scale, "Size of the Jacobian, " + name,
                                   "mean |J| / rms", from, to)});
  if (keep) {
    std::vector<at::Tensor> blocks;
    stack.for_each([&](const JacobianStack::Part& part) { blocks.push_back(part.blocks.cpu()); });
    result.tensors[name + ".stack"] = at::cat(blocks);
  }
  return result;
}

void check_names(const json& steps, std::size_t number) {
  const json& step = steps[number];
  for (const char* key : {"from", "to"}) {
    const std::string name = step.at(key);
    if (name.empty() || name.find('*') != std::string::npos)
      throw Error({"no name of a tap", key, "one tap, no pattern", "'" + name + "'"});
  }
  if (step.at("from") == step.at("to"))
    throw Error(
        {"a Jacobian needs two taps", "to", "another one than 'from'", step.at("to").dump()});
}

void check_taps(const json& step, const Model& model) {
  require_taps(model, {step.at("from")}, "from");
  require_taps(model, {step.at("to")}, "to");
  find_path(model, step.at("from"), step.at("to"));
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
                    rows_field(),
                    data_field("train")}},
      .run = run_jacobian,
      .check = check_names,
      .check_model = check_taps};
  return kind;
}

}  // namespace descramble
