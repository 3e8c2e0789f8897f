#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <ATen/ops/eye.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiment/layer_data.h"
#include "experiment/solve.h"

namespace descramble {

namespace {

using nlohmann::json;

struct Contender {
  std::string label{};
  Solution solution{};
};

/// "riemannian_lbfgs", and "riemannian_lbfgs (2)" for the second of a kind.
std::vector<std::string> labels_of(const json& solvers) {
  std::map<std::string, int> seen;
  std::vector<std::string> labels;
  for (const json& solver : solvers) {
    const std::string kind = solver.at("kind");
    const int number = ++seen[kind];
    labels.push_back(number == 1 ? kind : fmt::format("{} ({})", kind, number));
  }
  return labels;
}

/// How far a value lies above the reference, relative to it.
double excess(double value, double reference) {
  return (value - reference) / std::max(std::abs(reference), 1e-300);
}

Figure convergence_figure(const std::string& tap, const std::vector<Contender>& contenders,
                          double reference, bool known) {
  Figure figure{.title = "Solvers at " + tap,
                .x_title = "iteration",
                .y_title = known ? "relative excess over the optimum"
                                 : "relative excess over the best value found",
                .log_x = true,
                .log_y = true};
  for (const Contender& contender : contenders) {
    const std::vector<StartOutcome>& outcomes = contender.solution.outcomes;
    if (outcomes.empty()) continue;
    // One curve a solver: the start that got furthest stands for all.
    const StartOutcome& outcome = *std::min_element(
        outcomes.begin(), outcomes.end(),
        [](const StartOutcome& a, const StartOutcome& b) { return a.value < b.value; });
    Series series{.label = contender.label};
    double best = outcome.trace.front();
    bool drawable = false;
    for (std::size_t i = 1; i < outcome.trace.size(); ++i) {
      best = std::min(best, outcome.trace[i]);
      const double above = excess(best, reference);
      const bool positive = above > 1e-16;
      series.x.push_back(static_cast<double>(i));
      series.y.push_back(positive ? above : std::numeric_limits<double>::quiet_NaN());
      drawable = drawable || positive;
    }
    if (drawable) figure.series.push_back(std::move(series));
  }
  return figure;
}

StepResult run_compare_solvers(const json& resolved, const Workspace& workspace,
                               Progress& progress) {
  const std::vector<std::string> taps = positioned_taps(resolved, workspace.model);
  if (taps.size() != 1) {
    throw Error({"one tap is needed", "tap", "one tap point",
                 fmt::format("{}: {}", taps.size(), fmt::join(taps, ", "))});
  }
  const Layer layer = std::move(
      gather_layers(workspace, workspace.source(resolved.at("data")), taps, resolved, progress)[0]);
  const auto objective = make_objective(resolved.at("objective"), layer.data);
  const std::vector<std::string> labels = labels_of(resolved.at("solvers"));
  std::vector<Contender> contenders;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    contenders.push_back({labels[i], solve(*objective, resolved.at("solvers")[i], taps[0],
                                           workspace.seed, progress)});
  }
  double best = std::numeric_limits<double>::infinity();
  for (const Contender& contender : contenders) best = std::min(best, contender.solution.value);
  const std::optional<double> optimum = objective->optimum();
  const double reference = optimum.value_or(best);
  const double sign = objective->is_maximised() ? -1 : 1;

  StepResult result;
  json entry = tap_json(layer.tap);
  entry["rows"] = layer.tap.moments.count();
  result.json = {
      {"data", resolved.at("data")},
      {"taps", json::array({std::move(entry)})},
      {"objective",
       {{"kind", resolved.at("objective").at("kind")},
        {"sense", objective->is_maximised() ? "maximise" : "minimise"},
        {"before", sign * objective->value(at::eye(objective->dimension(), at::kDouble)) + 0.0},
        {"best", sign * best + 0.0},
        {"optimum", optimum ? json(sign * *optimum + 0.0) : json()}}},
      {"solvers", json::array()}};
  result.lines.push_back(fmt::format("{}  {} ({}, d = {}): {} {:.6g}, {} {:.6g}", taps[0],
                                     fmt::join(layer.tap.shape, "x"), axis_name(layer.tap.axis),
                                     objective->dimension(),
                                     resolved.at("objective").at("kind").get<std::string>(),
                                     result.json["objective"]["before"].get<double>(),
                                     optimum ? "optimum" : "best found", sign * reference));
  Table table{.name = "convergence",
              .columns = {"tap", "solver", "start", "iteration", "value", "excess"}};
  for (const Contender& contender : contenders) {
    const Solution& solution = contender.solution;
    json item = solver_json(*objective, solution);
    item["label"] = contender.label;
    item["value"] = sign * solution.value;
    item["excess"] = excess(solution.value, reference);
    double worst = solution.value;
    for (std::size_t start = 0; start < solution.outcomes.size(); ++start) {
      const StartOutcome& outcome = solution.outcomes[start];
      worst = std::max(worst, outcome.value);
      for (std::size_t i = 0; i < outcome.trace.size(); ++i) {
        table.rows.push_back({taps[0], contender.label, static_cast<std::int64_t>(start),
                              static_cast<std::int64_t>(i), sign * outcome.trace[i],
                              excess(outcome.trace[i], reference)});
      }
    }
    item["worst_excess"] = excess(worst, reference);
    result.json["solvers"].push_back(item);
    const std::string starts =
        solution.outcomes.size() > 1
            ? fmt::format(" (worst of {} starts {:.2e})", solution.outcomes.size(),
                          item["worst_excess"].get<double>())
            : "";
    result.lines.push_back(fmt::format("  {:<28}{:.8g}  excess {:.2e}{}, {} iterations, {}",
                                       contender.label, sign * solution.value,
                                       item["excess"].get<double>(), starts, solution.iterations,
                                       solution.reason));
  }
  if (!table.rows.empty()) {
    Figure figure = convergence_figure(taps[0], contenders, reference, optimum.has_value());
    if (figure.series.empty()) {
      result.lines.push_back("  no figure: no solver was ever above the best value");
    } else {
      result.figures.push_back({"convergence", std::move(figure)});
    }
    result.tables.push_back(std::move(table));
  }
  return result;
}

}  // namespace

const StepKind& step_kind_compare_solvers() {
  static const StepKind kind{
      .info = {.name = "compare_solvers",
               .summary = "Runs several solvers on one objective at one tap and draws how they "
                          "converge; the model stays as it is",
               .fields = {{.name = "tap", .type = FieldType::string, .doc = "the tap point"},
                          axis_field(),
                          rows_field(),
                          {.name = "position",
                           .type = FieldType::string,
                           .doc = "after: the tap's own value; before: what its call receives",
                           .fallback = "after",
                           .choices = {"before", "after"}},
                          {.name = "objective",
                           .type = FieldType::kind,
                           .doc = "what to minimise",
                           .family = objective_family},
                          {.name = "solvers",
                           .type = FieldType::kinds,
                           .doc = "the contenders",
                           .family = solver_family},
                          data_field("train")}},
      .run = run_compare_solvers};
  return kind;
}

}  // namespace descramble
