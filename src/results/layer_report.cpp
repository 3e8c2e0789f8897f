#include "results/layer_report.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/certificate_json.h"
#include "results/or_null.h"
#include "results/solution_report.h"
#include "results/tap_json.h"

namespace descramble {

using nlohmann::json;

namespace {

using OfLayer = std::function<std::optional<double>(const LayerDescrambling& layer)>;

/// The sum over all layers; null if it is not known for one of them.
json summed(const std::vector<LayerDescrambling>& layers, const OfLayer& figure) {
  double sum = 0;
  for (const LayerDescrambling& layer : layers) {
    const std::optional<double> value = figure(layer);
    if (!value) return json();
    sum += *value;
  }
  return sum;
}

const char* sense_of(const LayerDescrambling& layer) {
  return layer.maximised ? "maximise" : "minimise";
}

json layer_json(const LayerDescrambling& layer) {
  json entry = tap_json(layer.rotated.space);
  entry["rows"] = layer.moments.count();
  entry["objective"] = {
      {"sense", sense_of(layer)},      {"before", layer.value.before},
      {"after", layer.value.after},    {"optimum", or_null(layer.optimum)},
      {"bound", or_null(layer.bound)}, {"degenerate_directions", layer.solution.degenerate}};
  if (layer.held_out) {
    entry["objective"]["held_out"] = {{"before", layer.held_out->before},
                                      {"after", layer.held_out->after}};
  }
  entry["solver"] = solver_json(layer.solution, layer.maximised);
  entry["certificate"] = certificate_json(layer.certificate);
  return entry;
}

std::string objective_line(const LayerDescrambling& layer, const std::string& kind) {
  const double before = layer.value.before;
  const double after = layer.value.after;
  std::string line = fmt::format("  {:<11} {:.6g} -> {:.6g}", kind, before, after);
  if (layer.optimum) line += fmt::format(", optimum {:.6g}", *layer.optimum);
  if (layer.bound) {
    line += fmt::format(", no rotation {} {:.6g} (gap {:.1e})",
                        layer.maximised ? "exceeds" : "is below", *layer.bound,
                        std::abs(*layer.bound - after) / std::max(std::abs(*layer.bound), 1e-300));
  }
  // Below that share, what is left is rounding.
  if (!layer.maximised && after > 1e-12 * before)
    line += fmt::format(" ({:.4g} times less)", before / after);
  return line + ", " + layer.solution.reason;
}

void add_layer_lines(const LayerDescrambling& layer, const std::string& kind,
                     std::vector<std::string>& lines) {
  const TapSpace& space = layer.rotated.space;
  const std::string rows =
      layer.moments.count() > 0 ? fmt::format(", {} rows", layer.moments.count()) : "";
  lines.push_back(fmt::format("{}  {} ({}, d = {}{})", space.name, fmt::join(space.shape, "x"),
                              axis_name(space.axis), space.dimension, rows));
  lines.push_back(objective_line(layer, kind));
  if (!layer.solution.outcomes.empty()) {
    lines.push_back(
        fmt::format("  {:<12}{}", "solver", solver_line(layer.solution, layer.maximised)));
  }
  if (layer.held_out) {
    lines.push_back(fmt::format("  {:<12}{:.6g} -> {:.6g}", "held out", layer.held_out->before,
                                layer.held_out->after));
  }
  if (layer.solution.degenerate > 0 && layer.warnings.empty()) {
    lines.push_back(
        fmt::format("  {:<12}{} of {} directions share their variance with another: the optimum "
                    "does not tell those apart",
                    "note", layer.solution.degenerate, space.dimension));
  }
  lines.push_back(
      fmt::format("  {:<12}|PtP - I| {:.1e}, function changed by {:.1e} "
                  "(inserted)",
                  "certificate", layer.certificate.orthogonality, layer.certificate.inserted));
}

void add_layer_tensors(const LayerDescrambling& layer, bool centred, NamedTensors& tensors) {
  const std::string& name = layer.rotated.space.name;
  tensors[name + ".rotation"] = layer.rotated.pair.matrix();
  if (layer.moments.count() == 0) return;
  tensors[name + ".mean"] = layer.moments.mean();
  tensors[name + (centred ? ".covariance" : ".second_moment")] =
      centred ? layer.moments.covariance() : layer.moments.second_moment();
  tensors[name + ".count"] = at::scalar_tensor(layer.moments.count(), at::kLong);
}

json layer_objective(const std::string& kind, const std::vector<LayerDescrambling>& layers) {
  json result = {{"kind", kind},
                 {"sense", sense_of(layers.front())},
                 {"before", summed(layers, [](const auto& layer) { return layer.value.before; })},
                 {"after", summed(layers, [](const auto& layer) { return layer.value.after; })},
                 {"optimum", summed(layers, [](const auto& layer) { return layer.optimum; })},
                 {"bound", summed(layers, [](const auto& layer) { return layer.bound; })}};
  if (layers.front().held_out) {
    result["held_out"] = {
        {"before", summed(layers, [](const auto& layer) { return layer.held_out->before; })},
        {"after", summed(layers, [](const auto& layer) { return layer.held_out->after; })}};
  }
  return result;
}

}  // namespace

StepResult layer_report(const std::string& objective, bool centred, Split data,
                        const std::vector<LayerDescrambling>& layers) {
  StepResult result;
  json entries = json::array();
  json warnings = json::array();
  Certificate worst;
  for (const LayerDescrambling& layer : layers) {
    for (const std::string& warning : layer.warnings) warnings.push_back(warning);
    add_layer_lines(layer, objective, result.lines);
    add_layer_tensors(layer, centred, result.tensors);
    result.edits.push_back(edit_of(layer.rotated));
    entries.push_back(layer_json(layer));
    worst = worse_of(worst, layer.certificate);
  }
  for (const json& warning : warnings)
    result.lines.push_back(fmt::format("  {:<12}{}", "warning", warning.get<std::string>()));
  result.floor = worst.floor;
  result.json = {{"data", split_name(data)},
                 {"objective", layer_objective(objective, layers)},
                 {"solver", solvers_json(entries)},
                 {"warnings", std::move(warnings)},
                 {"certificate", certificate_json(worst)},
                 {"taps", std::move(entries)}};
  return result;
}

}  // namespace descramble
