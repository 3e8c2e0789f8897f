#include "results/jacobian_report.h"

#include <algorithm>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/matrix_picture.h"
#include "results/or_null.h"
#include "results/tap_json.h"

namespace descramble {

using nlohmann::json;

namespace {

/// The columns are quantities of `from`, and the rows of `to`.
Picture jacobian_picture(const at::Tensor& values, const std::string& title,
                         const std::string& label, const MeasuredJacobian& measured) {
  return matrix_picture({.title = title,
                         .values = values,
                         .rows = {.title = measured.to.name},
                         .columns = {.title = measured.from.name}},
                        label);
}

void add_singular_values(const std::string& name, const at::Tensor& singular, StepResult& result) {
  const auto* begin = singular.data_ptr<double>();
  const std::vector<double> values(begin, begin + singular.numel());
  result.tensors[name + ".singular_values"] = singular;
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

}  // namespace

StepResult jacobian_report(Split data, const MeasuredJacobian& measured) {
  const TapSpace& from = measured.from;
  const TapSpace& to = measured.to;
  const std::string name = from.name + ".." + to.name;
  StepResult result;
  result.tensors[name + ".mean"] = measured.mean;
  result.tensors[name + ".spread"] = measured.spread;
  result.json = {{"data", split_name(data)},
                 {"from", tap_json(from)},
                 {"to", tap_json(to)},
                 {"samples", measured.samples},
                 {"positions", measured.positions},
                 {"sampled_positions", measured.sampled_positions},
                 {"blocks", measured.blocks},
                 {"route", measured.route},
                 {"obstacle", or_null(measured.obstacle)},
                 {"constants", measured.constants},
                 {"l1", measured.l1},
                 {"frobenius", measured.frobenius},
                 {"sparsity", measured.sparsity},
                 {"singular_values", json()},
                 {"warnings", measured.warnings}};
  result.lines.push_back(fmt::format("{} ({}, {}) to {} ({}, {}), {} samples, {}", from.name,
                                     fmt::join(from.shape, "x"), from.dimension, to.name,
                                     fmt::join(to.shape, "x"), to.dimension, measured.samples,
                                     measured.route));
  if (!measured.obstacle.empty())
    result.lines.push_back("  no masked product: " + measured.obstacle);
  if (!measured.constants.empty()) {
    result.lines.push_back(
        fmt::format("  taken as constant: {}", fmt::join(measured.constants, ", ")));
  }
  result.lines.push_back(
      fmt::format("  sum |J| {:.6g} a sample, root of the mean ||J||^2 {:.6g}, sparsity {:.3f} "
                  "(0.80: Gaussian entries, 1: equal)",
                  measured.l1, measured.frobenius, measured.sparsity));
  if (measured.singular_values.defined())
    add_singular_values(name, measured.singular_values, result);
  for (const std::string& warning : measured.warnings)
    result.lines.push_back("  warning: " + warning);
  result.figures.push_back(
      {"jacobian_mean", jacobian_picture(measured.mean_by_rms.abs(), "Mean Jacobian, " + name,
                                         "|mean J| / rms", measured)});
  result.figures.push_back(
      {"jacobian_size", jacobian_picture(measured.size_by_rms, "Size of the Jacobian, " + name,
                                         "mean |J| / rms", measured)});
  if (measured.stack.defined()) result.tensors[name + ".stack"] = measured.stack;
  return result;
}

}  // namespace descramble
