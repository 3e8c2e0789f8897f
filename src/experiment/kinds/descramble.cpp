#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/basis/rotation_pair.h"
#include "descramble/objective/jacobian_l1.h"
#include "descramble/objective/objective.h"
#include "descramble/solver/solver.h"
#include "descramble/taps/path.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/chain.h"
#include "experiment/layer_data.h"
#include "experiment/noise_floor.h"
#include "experiment/solve.h"

namespace descramble {

namespace {

using nlohmann::json;

double inserted_difference(const Workspace& workspace, const std::string& tap, Axis axis,
                           const RotationPair& pair) {
  const TappedModel tapped = tap_model(workspace.check_model(), {tap});
  const Watch watch =
      tapped.replace(tap, [&](const at::Tensor& value) { return pair.round_trip(value, axis); });
  return workspace.check.difference(
      [&tapped](const std::vector<at::Tensor>& inputs) { return tapped.forward(inputs); });
}

/// The sum of what all taps have at `path`; null where one of them does not know it.
json summed(const json& entries, const char* path) {
  const json::json_pointer pointer(path);
  double sum = 0;
  for (const json& entry : entries) {
    const json& value = entry.at(pointer);
    if (value.is_null()) return json();
    sum += value.get<double>();
  }
  return sum;
}

/// The largest of it.
double worst(const json& entries, const char* path) {
  const json::json_pointer pointer(path);
  double result = 0;
  for (const json& entry : entries) result = std::max(result, entry.at(pointer).get<double>());
  return result;
}

struct TapResult {
  json entry{};
  std::vector<std::string> warnings{};
  std::vector<std::string> lines{};
  RotationPair pair = RotationPair::identity(1);
};

std::string objective_line(const json& objective, const std::string& kind,
                           const Solution& solution) {
  const double before = objective.at("before");
  const double after = objective.at("after");
  const bool maximised = objective.at("sense") == "maximise";
  std::string line = fmt::format("  {:<11} {:.6g} -> {:.6g}", kind, before, after);
  if (!objective.at("optimum").is_null())
    line += fmt::format(", optimum {:.6g}", objective.at("optimum").get<double>());
  if (!objective.at("bound").is_null()) {
    const double bound = objective.at("bound");
    line += fmt::format(", no rotation {} {:.6g} (gap {:.1e})", maximised ? "exceeds" : "is below",
                        bound, std::abs(bound - after) / std::max(std::abs(bound), 1e-300));
  }
  // Below that share, what is left is rounding.
  if (!maximised && after > 1e-12 * before)
    line += fmt::format(" ({:.4g} times less)", before / after);
  return line + ", " + solution.reason;
}

TapResult descramble_tap(const json& resolved, const Workspace& workspace, const Layer& layer,
                         const Layer* held_out, Progress& progress) {
  const std::string& name = layer.tap.tap;
  const json& config = resolved.at("objective");
  const auto objective = make_objective(config, layer.data);
  const std::int64_t d = objective->dimension();
  const Solution solution =
      solve(*objective, resolved.at("solver"), name, workspace.seed, progress);
  TapResult result;
  result.pair = RotationPair(solution.point);
  const at::Tensor identity = at::eye(d, at::kDouble);
  const double sign = objective->is_maximised() ? -1 : 1;
  const auto shown = [sign](std::optional<double> value) {
    return value ? json(sign * *value + 0.0) : json();  // no negative zero
  };
  const std::optional<double> optimum = objective->optimum();
  json entry = tap_json(layer.tap);
  entry["rows"] = layer.tap.moments.count();
  entry["objective"] = {{"sense", objective->is_maximised() ? "maximise" : "minimise"},
                        {"before", shown(objective->value(identity))},
                        {"after", shown(solution.value)},
                        {"optimum", shown(optimum)},
                        {"bound", optimum ? json() : shown(objective->lower_bound(solution.point))},
                        {"degenerate_directions", solution.degenerate}};
  if (held_out != nullptr) {
    const auto other = make_objective(config, held_out->data);
    entry["objective"]["held_out"] = {{"before", sign * other->value(identity)},
                                      {"after", sign * other->value(solution.point)}};
  }
  entry["solver"] = solver_json(*objective, solution);
  const double inserted = inserted_difference(workspace, name, layer.tap.axis, result.pair);
  const double floor = noise_floor(workspace, {name}, inserted);
  entry["certificate"] = {{"orthogonality", result.pair.orthogonality()},
                          {"orthogonality_in_model", result.pair.orthogonality(layer.tap.dtype)},
                          {"inserted", inserted},
                          {"floor", floor}};
  if (const std::string warning = floor_warning(workspace, {name}, floor); !warning.empty())
    result.warnings.push_back(warning);
  for (const std::string& warning : objective->warnings())
    result.warnings.push_back(name + ": " + warning);

  const std::string rows =
      layer.tap.moments.count() > 0 ? fmt::format(", {} rows", layer.tap.moments.count()) : "";
  result.lines.push_back(fmt::format("{}  {} ({}, d = {}{})", name, fmt::join(layer.tap.shape, "x"),
                                     axis_name(layer.tap.axis), d, rows));
  result.lines.push_back(
      objective_line(entry["objective"], config.at("kind").get<std::string>(), solution));
  if (!solution.outcomes.empty())
    result.lines.push_back(fmt::format("  {:<12}{}", "solver", solver_line(*objective, solution)));
  if (held_out != nullptr) {
    const json& held = entry["objective"]["held_out"];
    result.lines.push_back(fmt::format("  {:<12}{:.6g} -> {:.6g}", "held out",
                                       held["before"].get<double>(), held["after"].get<double>()));
  }
  if (solution.degenerate > 0 && result.warnings.empty()) {
    result.lines.push_back(
        fmt::format("  {:<12}{} of {} directions share their variance with another: the optimum "
                    "does not tell those apart",
                    "note", solution.degenerate, d));
  }
  result.lines.push_back(
      fmt::format("  {:<12}|PtP - I| {:.1e}, function changed by {:.1e} "
                  "(inserted)",
                  "certificate", result.pair.orthogonality(), inserted));
  result.entry = std::move(entry);
  return result;
}

void add_tensors(const Layer& layer, const RotationPair& pair, bool centred,
                 NamedTensors& tensors) {
  const std::string& name = layer.tap.tap;
  tensors[name + ".rotation"] = pair.matrix();
  if (layer.tap.moments.count() == 0) return;
  tensors[name + ".mean"] = layer.tap.moments.mean();
  tensors[name + (centred ? ".covariance" : ".second_moment")] =
      centred ? layer.tap.moments.covariance() : layer.tap.moments.second_moment();
  tensors[name + ".count"] = at::scalar_tensor(layer.tap.moments.count(), at::kLong);
}

StepResult run_descramble(const json& resolved, const Workspace& workspace, Progress& progress) {
  const json& config = resolved.at("objective");
  if (objective_needs(config) == LayerNeeds::jacobians)
    return descramble_chain(resolved, workspace, progress);
  const std::vector<std::string> taps = positioned_taps(resolved, workspace.model);
  const std::string split = resolved.at("data");
  const auto gather = [&](const std::string& from) {
    return gather_layers(workspace, workspace.source(from), taps, resolved, progress);
  };
  const std::vector<Layer> layers = gather(split);
  std::vector<Layer> held_out;
  if (workspace.separate_test && objective_needs(config) != LayerNeeds::weight)
    held_out = gather(split == "train" ? "test" : "train");

  StepResult result;
  json entries = json::array();
  json warnings = json::array();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    TapResult one = descramble_tap(resolved, workspace, layer,
                                   held_out.empty() ? nullptr : &held_out[i], progress);
    for (const std::string& warning : one.warnings) warnings.push_back(warning);
    result.lines.insert(result.lines.end(), one.lines.begin(), one.lines.end());
    add_tensors(layer, one.pair, config.value("center", true), result.tensors);
    result.edits.push_back({layer.tap.tap, layer.tap.axis,
                            static_cast<std::int64_t>(layer.tap.shape.size()) + 1,
                            one.pair.matrix(), layer.tap.dtype});
    entries.push_back(std::move(one.entry));
  }
  json objective = {{"kind", config.at("kind")},
                    {"sense", entries[0]["objective"]["sense"]},
                    {"before", summed(entries, "/objective/before")},
                    {"after", summed(entries, "/objective/after")},
                    {"optimum", summed(entries, "/objective/optimum")},
                    {"bound", summed(entries, "/objective/bound")}};
  if (!held_out.empty()) {
    objective["held_out"] = {{"before", summed(entries, "/objective/held_out/before")},
                             {"after", summed(entries, "/objective/held_out/after")}};
  }
  for (const json& warning : warnings)
    result.lines.push_back(fmt::format("  {:<12}{}", "warning", warning.get<std::string>()));
  result.json = {
      {"data", split},
      {"objective", std::move(objective)},
      {"solver", solvers_json(entries)},
      {"warnings", std::move(warnings)},
      {"certificate",
       {{"orthogonality", worst(entries, "/certificate/orthogonality")},
        {"orthogonality_in_model", worst(entries, "/certificate/orthogonality_in_model")},
        {"inserted", worst(entries, "/certificate/inserted")},
        {"floor", worst(entries, "/certificate/floor")}}},
      {"taps", std::move(entries)}};
  return result;
}

bool is_chain(const json& step) {
  return objective_needs(step.at("objective")) == LayerNeeds::jacobians;
}

/// An objective over a chain names its taps itself; all others leave that to the step.
void check_taps(const json& steps, std::size_t number) {
  const json& step = steps[number];
  require_fit(step.at("solver"), step.at("objective"));
  const bool named = !step.at("tap").is_null() || !step.at("taps").is_null();
  if (!is_chain(step)) {
    if (named) return;
    throw Error({"one of several keys is needed", "", "exactly one of 'tap', 'taps'", "none"});
  }
  if (named) {
    throw Error({"the taps are named twice", "", "them in 'objective' alone",
                 step.at("tap").is_null() ? "'taps' beside it" : "'tap' beside it"});
  }
  if (step.at("position") != "after") {
    throw Error({"a position without a tap", "position",
                 "'after': the objective names values (NAME.input for what a call receives)",
                 step.at("position").dump()});
  }
  const json& objective = step.at("objective");
  learned_taps(objective, chain_taps(objective));
}

void check_chain(const json& step, const Model& model) {
  if (!is_chain(step)) return;
  const std::vector<std::string> taps = chain_taps(step.at("objective"));
  require_taps(model, taps, "/objective/taps");
  for (std::size_t i = 0; i + 1 < taps.size(); ++i) find_path(model, taps[i], taps[i + 1]);
}

std::vector<std::string> rotated_taps(const json& step, const Model& model) {
  if (!is_chain(step)) return positioned_taps(step, model);
  const std::vector<std::string> taps = chain_taps(step.at("objective"));
  const std::vector<bool> learned = learned_taps(step.at("objective"), taps);
  std::vector<std::string> result;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    if (learned[i]) result.push_back(taps[i]);
  }
  return result;
}

}  // namespace

const StepKind& step_kind_descramble() {
  static const StepKind kind{
      .info = {.name = "descramble",
               .summary = "Finds the rotation of a layer that minimises an objective, inserts it "
                          "with its inverse, and exports the model",
               .fields = {{.name = "tap",
                           .type = FieldType::string,
                           .doc = "the tap point (or use taps)",
                           .fallback = nullptr},
                          {.name = "taps",
                           .type = FieldType::names,
                           .doc = "several tap points, each rotated on its own: names or globs",
                           .fallback = nullptr},
                          axis_field(),
                          rows_field(),
                          {.name = "position",
                           .type = FieldType::string,
                           .doc =
                               "after: the tap's own value; before: what its call receives; "
                               "both: the two of them, so that a layer's weight becomes P2 W P1'",
                           .fallback = "after",
                           .choices = {"before", "after", "both"}},
                          {.name = "objective",
                           .type = FieldType::kind,
                           .doc = "what to minimise",
                           .family = objective_family},
                          {.name = "solver",
                           .type = FieldType::kind,
                           .doc = "how; null: the best known for the objective",
                           .fallback = nullptr,
                           .family = solver_family},
                          data_field("train")},
               .at_most_one = {"tap", "taps"}},
      .run = run_descramble,
      .check = check_taps,
      .check_model = check_chain,
      .rotates = rotated_taps};
  return kind;
}

}  // namespace descramble
