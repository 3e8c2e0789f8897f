#include "results/solver_comparison_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/solution_report.h"
#include "results/tap_json.h"

namespace descramble {

using nlohmann::json;

namespace {

/// "riemannian_lbfgs", and "riemannian_lbfgs (2)" for the second of a kind.
std::vector<std::string> labels_of(const std::vector<Solution>& solutions) {
  std::map<std::string, int> seen;
  std::vector<std::string> labels;
  for (const Solution& solution : solutions) {
    const int number = ++seen[solution.solver];
    labels.push_back(number == 1 ? solution.solver
                                 : fmt::format("{} ({})", solution.solver, number));
  }
  return labels;
}

/// How far a value lies above the reference, relative to it.
double excess(double value, double reference) {
  return (value - reference) / std::max(std::abs(reference), 1e-300);
}

Figure convergence_figure(const SolverComparison& comparison,
                          const std::vector<std::string>& labels) {
  const bool known = comparison.optimum.has_value();
  Figure figure{.title = "Solvers at " + comparison.tap.space.name,
                .x_title = "iteration",
                .y_title = known ? "relative excess over the optimum"
                                 : "relative excess over the best value found",
                .log_x = true,
                .log_y = true};
  for (std::size_t number = 0; number < labels.size(); ++number) {
    const std::vector<StartOutcome>& outcomes = comparison.solutions[number].outcomes;
    if (outcomes.empty()) continue;
    // One curve a solver: the start that got furthest stands for all.
    const StartOutcome& outcome = *std::min_element(
        outcomes.begin(), outcomes.end(),
        [](const StartOutcome& a, const StartOutcome& b) { return a.value < b.value; });
    Series series{.label = labels[number]};
    double best = outcome.trace.front();
    bool drawable = false;
    for (std::size_t i = 1; i < outcome.trace.size(); ++i) {
      best = std::min(best, outcome.trace[i]);
      const double above = excess(best, comparison.reference());
      const bool positive = above > 1e-16;
      series.x.push_back(static_cast<double>(i));
      series.y.push_back(positive ? above : std::numeric_limits<double>::quiet_NaN());
      drawable = drawable || positive;
    }
    if (drawable) figure.series.push_back(std::move(series));
  }
  return figure;
}

/// Rows of the table for one solver; the worst value that a start ended at.
double add_rows(const std::string& tap, const std::string& label, const Solution& solution,
                double sign, double reference, Table& table) {
  double worst = solution.value;
  for (std::size_t start = 0; start < solution.outcomes.size(); ++start) {
    const StartOutcome& outcome = solution.outcomes[start];
    worst = std::max(worst, outcome.value);
    for (std::size_t i = 0; i < outcome.trace.size(); ++i) {
      table.rows.push_back({tap, label, static_cast<std::int64_t>(start),
                            static_cast<std::int64_t>(i), sign * outcome.trace[i],
                            excess(outcome.trace[i], reference)});
    }
  }
  return worst;
}

std::string solver_text(const std::string& label, const Solution& solution, double sign,
                        double reference, double worst) {
  const std::string starts = solution.outcomes.size() > 1
                                 ? fmt::format(" (worst of {} starts {:.2e})",
                                               solution.outcomes.size(), excess(worst, reference))
                                 : "";
  return fmt::format("  {:<28}{:.8g}  excess {:.2e}{}, {} iterations, {}", label,
                     sign * solution.value, excess(solution.value, reference), starts,
                     solution.iterations, solution.reason);
}

}  // namespace

StepResult solver_comparison_report(const std::string& objective, Split data,
                                    const SolverComparison& comparison) {
  const TapSpace& space = comparison.tap.space;
  const std::optional<double>& optimum = comparison.optimum;
  const double reference = comparison.reference();
  const double sign = comparison.maximised ? -1 : 1;
  const std::vector<std::string> labels = labels_of(comparison.solutions);
  StepResult result;
  json entry = tap_json(space);
  entry["rows"] = comparison.tap.moments.count();
  result.json = {{"data", split_name(data)},
                 {"taps", json::array({std::move(entry)})},
                 {"objective",
                  {{"kind", objective},
                   {"sense", comparison.maximised ? "maximise" : "minimise"},
                   {"before", sign * comparison.before + 0.0},
                   {"best", sign * comparison.best + 0.0},
                   {"optimum", optimum ? json(sign * *optimum + 0.0) : json()}}},
                 {"solvers", json::array()}};
  result.lines.push_back(fmt::format(
      "{}  {} ({}, d = {}): {} {:.6g}, {} {:.6g}", space.name, fmt::join(space.shape, "x"),
      axis_name(space.axis), comparison.dimension, objective, sign * comparison.before + 0.0,
      optimum ? "optimum" : "best found", sign * reference));
  Table table{.name = "convergence",
              .columns = {"tap", "solver", "start", "iteration", "value", "excess"}};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Solution& solution = comparison.solutions[i];
    const double worst = add_rows(space.name, labels[i], solution, sign, reference, table);
    json item = solver_json(solution, comparison.maximised);
    item["label"] = labels[i];
    item["value"] = sign * solution.value;
    item["excess"] = excess(solution.value, reference);
    item["worst_excess"] = excess(worst, reference);
    result.json["solvers"].push_back(std::move(item));
    result.lines.push_back(solver_text(labels[i], solution, sign, reference, worst));
  }
  if (table.rows.empty()) return result;
  Figure figure = convergence_figure(comparison, labels);
  if (figure.series.empty())
    result.lines.push_back("  no figure: no solver was ever above the best value");
  else
    result.figures.push_back({"convergence", std::move(figure)});
  result.tables.push_back(std::move(table));
  return result;
}

}  // namespace descramble
