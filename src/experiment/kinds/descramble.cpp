#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/basis/rotation_pair.h"
#include "descramble/experiment/certificate.h"
#include "descramble/objective/objective.h"
#include "descramble/solver/solver.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/tap_pass.h"

namespace descramble {

namespace {

using nlohmann::json;

/// "before" a tap is the input of its call; "after" its result.
std::vector<std::string> positioned(std::vector<std::string> taps, const std::string& position) {
  if (position == "before") {
    for (std::string& tap : taps) {
      if (!tap.ends_with(".input")) tap += ".input";
    }
  }
  return taps;
}

double inserted_difference(const Workspace& workspace, const std::string& tap, Axis axis,
                           const RotationPair& pair) {
  const TappedModel tapped = tap_model(workspace.model, {tap});
  const Watch watch =
      tapped.replace(tap, [&](const at::Tensor& value) { return pair.round_trip(value, axis); });
  const at::NoGradGuard no_grad;
  return relative_difference(tapped.forward(workspace.check.inputs), workspace.check_output);
}

StepResult run_descramble(const json& resolved, const Workspace& workspace, Progress& progress) {
  const std::vector<std::string> taps =
      positioned(step_taps(resolved, workspace.model), resolved.at("position"));
  const std::string split = resolved.at("data");
  const auto measured =
      measure_taps(workspace, workspace.source(split), taps, resolved.at("axis"), progress);
  std::vector<TapMoments> held_out;
  if (workspace.separate_test) {
    held_out = measure_taps(workspace, workspace.source(split == "train" ? "test" : "train"), taps,
                            resolved.at("axis"), progress);
  }
  const bool centred = resolved.at("objective").value("center", true);
  StepResult result;
  result.json = {{"data", split}, {"taps", json::array()}};
  json total = {{"kind", resolved.at("objective").at("kind")},
                {"before", 0.0},
                {"after", 0.0},
                {"optimum", 0.0},
                {"bound", nullptr}};
  json warnings = json::array();
  double held_before = 0;
  double held_after = 0;
  json solver = json::object();
  double orthogonality = 0;
  double orthogonality_in_model = 0;
  double inserted = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const TapMoments& tap = measured[i];
    const auto objective = make_objective(resolved.at("objective"), tap.moments);
    const std::int64_t d = objective->dimension();
    const Solution solution = minimise(*objective, resolved.at("solver"), workspace.seed);
    const RotationPair pair(solution.point);
    const at::Tensor identity = at::eye(d, at::kDouble);
    const std::optional<double> optimum = objective->optimum();
    const double before = objective->value(identity);

    for (const std::string& warning : objective->warnings()) {
      warnings.push_back(tap.tap + ": " + warning);
    }
    json entry = tap_json(tap);
    entry["rows"] = tap.moments.count();
    entry["objective"] = {{"before", before},
                          {"after", solution.value},
                          {"optimum", optimum ? json(*optimum) : json()},
                          {"degenerate_directions", solution.degenerate}};
    if (!held_out.empty()) {
      const auto other = make_objective(resolved.at("objective"), held_out[i].moments);
      entry["objective"]["held_out"] = {{"before", other->value(identity)},
                                        {"after", other->value(solution.point)}};
      held_before += entry["objective"]["held_out"]["before"].get<double>();
      held_after += entry["objective"]["held_out"]["after"].get<double>();
    }
    entry["certificate"] = {{"orthogonality", pair.orthogonality()},
                            {"orthogonality_in_model", pair.orthogonality(tap.dtype)},
                            {"inserted", inserted_difference(workspace, tap.tap, tap.axis, pair)}};
    total["before"] = total["before"].get<double>() + before;
    total["after"] = total["after"].get<double>() + solution.value;
    total["optimum"] = optimum && !total["optimum"].is_null()
                           ? json(total["optimum"].get<double>() + *optimum)
                           : json();
    orthogonality = std::max(orthogonality, pair.orthogonality());
    orthogonality_in_model = std::max(orthogonality_in_model, pair.orthogonality(tap.dtype));
    inserted = std::max(inserted, entry["certificate"]["inserted"].get<double>());
    solver = {
        {"kind", resolved.at("solver").at("kind")},
        {"reason", solution.reason},
        {"iterations", std::max(solution.iterations, solver.value("iterations", std::int64_t{0}))},
        {"starts", solution.starts}};

    result.tensors[tap.tap + ".rotation"] = pair.matrix();
    result.tensors[tap.tap + ".mean"] = tap.moments.mean();
    result.tensors[tap.tap + (centred ? ".covariance" : ".second_moment")] =
        centred ? tap.moments.covariance() : tap.moments.second_moment();
    result.tensors[tap.tap + ".count"] = at::scalar_tensor(tap.moments.count(), at::kLong);
    result.edits.push_back({tap.tap, tap.axis, static_cast<std::int64_t>(tap.shape.size()) + 1,
                            pair.matrix(), tap.dtype});

    result.lines.push_back(fmt::format("{}  {} ({}, d = {}, {} rows)", tap.tap,
                                       fmt::join(tap.shape, "x"), axis_name(tap.axis), d,
                                       tap.moments.count()));
    const std::string factor =
        solution.value > 0 ? fmt::format(" ({:.4g} times less)", before / solution.value) : "";
    result.lines.push_back(fmt::format(
        "  {:<12}{:.6g} -> {:.6g}{}{}, {}", resolved.at("objective").at("kind").get<std::string>(),
        before, solution.value, optimum ? fmt::format(", optimum {:.6g}", *optimum) : "", factor,
        solution.reason));
    if (entry["objective"].contains("held_out")) {
      const json& held = entry["objective"]["held_out"];
      result.lines.push_back(fmt::format("  {:<12}{:.6g} -> {:.6g}", "held out",
                                         held["before"].get<double>(),
                                         held["after"].get<double>()));
    }
    if (solution.degenerate > 0 && objective->warnings().empty()) {
      result.lines.push_back(
          fmt::format("  {:<12}{} of {} directions share their variance with another: the optimum "
                      "does not tell those apart",
                      "note", solution.degenerate, d));
    }
    result.lines.push_back(fmt::format(
        "  {:<12}|PtP - I| {:.1e}, function changed by {:.1e} (inserted)", "certificate",
        pair.orthogonality(), entry["certificate"]["inserted"].get<double>()));
    result.json["taps"].push_back(std::move(entry));
  }
  if (!held_out.empty()) total["held_out"] = {{"before", held_before}, {"after", held_after}};
  result.json["objective"] = std::move(total);
  for (const json& warning : warnings)
    result.lines.push_back(fmt::format("  {:<12}{}", "warning", warning.get<std::string>()));
  result.json["warnings"] = std::move(warnings);
  result.json["solver"] = std::move(solver);
  result.json["certificate"] = {{"orthogonality", orthogonality},
                                {"orthogonality_in_model", orthogonality_in_model},
                                {"inserted", inserted}};
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
                          {.name = "position",
                           .type = FieldType::string,
                           .doc = "after: the tap's own value; before: what its call receives",
                           .fallback = "after",
                           .choices = {"before", "after"}},
                          {.name = "objective",
                           .type = FieldType::kind,
                           .doc = "what to minimise",
                           .family = objective_family},
                          {.name = "solver",
                           .type = FieldType::kind,
                           .doc = "how; left out: the best known for the objective",
                           .fallback = Fallback::json(R"({"kind": "exact"})"),
                           .family = solver_family},
                          data_field("train")},
               .exactly_one = {"tap", "taps"}},
      .run = run_descramble};
  return kind;
}

}  // namespace descramble
