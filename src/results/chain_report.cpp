#include "results/chain_report.h"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/certificate_json.h"
#include "results/or_null.h"
#include "results/solution_report.h"
#include "results/tap_json.h"

namespace descramble {

using nlohmann::json;

namespace {

/// The convergence of every start: a table of all values, and a curve for each start.
void add_convergence(const Solution& solution, const std::vector<std::string>& learned,
                     StepResult& result) {
  Table table{.name = "convergence", .columns = {"taps", "start", "from", "iteration", "value"}};
  const std::string taps = fmt::format("{}", fmt::join(learned, ", "));
  Figure figure{.title = "Starts of " + taps,
                .x_title = "iteration",
                .y_title = "mean over inputs of the sum of |J|"};
  const auto add = [&](const std::string& from, const std::string& label,
                       const std::vector<double>& values) {
    const auto start = static_cast<std::int64_t>(figure.series.size());
    Series series{.label = label};
    for (std::size_t at = 0; at < values.size(); ++at) {
      table.rows.push_back({taps, start, from, static_cast<std::int64_t>(at), values[at]});
      series.x.push_back(static_cast<double>(at));
      series.y.push_back(values[at]);
    }
    figure.series.push_back(std::move(series));
  };
  bool followed = !solution.trace.empty();
  for (const StartOutcome& outcome : solution.outcomes) {
    add(outcome.from, fmt::format("{}: {}", figure.series.size() + 1, outcome.from), outcome.trace);
    followed = followed && outcome.trace != solution.trace;
  }
  // Starts are compared on some samples; the later values are of all samples.
  if (followed) add("best start, all samples", "the best on, all samples", solution.trace);
  if (table.rows.empty()) return;
  result.tables.push_back(std::move(table));
  result.figures.push_back({"convergence", std::move(figure)});
}

json layers_json(const std::vector<ChainLayer>& layers) {
  json result = json::array();
  for (const ChainLayer& layer : layers) {
    result.push_back({{"from", layer.from},
                      {"to", layer.to},
                      {"route", layer.route},
                      {"kept", layer.kept},
                      {"positions", layer.positions},
                      {"obstacle", or_null(layer.obstacle)},
                      {"constants", layer.constants}});
  }
  return result;
}

json chain_tap_json(const ChainTap& tap) {
  const auto& [space, pair] = tap.rotated;
  json entry = tap_json(space);
  entry["certificate"] = {{"orthogonality", pair.orthogonality()},
                          {"orthogonality_in_model", pair.orthogonality(space.dtype)},
                          {"inserted", tap.inserted}};
  return entry;
}

json chain_objective(const std::string& kind, const ChainDescrambling& chain) {
  json result = {{"kind", kind},
                 {"sense", "minimise"},
                 {"samples", chain.samples},
                 {"before", chain.value.before},
                 {"after", chain.value.after},
                 {"optimum", nullptr},
                 {"bound", chain.bound},
                 {"sparsity", {{"before", chain.sparsity.before}, {"after", chain.sparsity.after}}},
                 {"layers", layers_json(chain.layers)}};
  if (chain.held_out) {
    result["held_out"] = {{"samples", chain.held_out_samples},
                          {"before", chain.held_out->before},
                          {"after", chain.held_out->after}};
  }
  return result;
}

void add_chain_lines(const std::string& kind, const ChainDescrambling& chain,
                     std::vector<std::string>& lines) {
  std::vector<std::string> sizes;
  for (const ChainTap& tap : chain.learned) {
    const TapSpace& space = tap.rotated.space;
    sizes.push_back(
        fmt::format("{} ({}, d = {})", space.name, axis_name(space.axis), space.dimension));
  }
  lines.push_back(fmt::format("{} in {}", fmt::join(sizes, ", "), fmt::join(chain.taps, " -> ")));
  for (const ChainLayer& layer : chain.layers) {
    lines.push_back(fmt::format("  {:<12}{} to {}: {}{}", "Jacobians", layer.from, layer.to,
                                layer.route,
                                layer.kept ? "" : ", computed again each time (memory_mb)"));
  }
  const auto& [before, after] = chain.value;
  lines.push_back(fmt::format(
      "  {:<12}{:.6g} -> {:.6g} ({:.3g} of before), no rotation is below {:.6g}, {} samples, {}",
      kind, before, after, after / before, chain.bound, chain.samples, chain.solution.reason));
  if (chain.held_out) {
    lines.push_back(fmt::format("  {:<12}{:.6g} -> {:.6g} ({:.3g} of before, {} samples)",
                                "held out", chain.held_out->before, chain.held_out->after,
                                chain.held_out->after / chain.held_out->before,
                                chain.held_out_samples));
  }
  lines.push_back(fmt::format("  {:<12}{:.3f} -> {:.3f} (0.80: Gaussian entries, 1: equal)",
                              "sparsity", chain.sparsity.before, chain.sparsity.after));
  if (!chain.solution.outcomes.empty())
    lines.push_back(fmt::format("  {:<12}{}", "solver", solver_line(chain.solution, false)));
  lines.push_back(
      fmt::format("  {:<12}|PtP - I| {:.1e}, function changed by {:.1e} "
                  "(all inserted)",
                  "certificate", chain.certificate.orthogonality, chain.certificate.inserted));
  for (const std::string& warning : chain.warnings)
    lines.push_back(fmt::format("  {:<12}{}", "warning", warning));
}

}  // namespace

StepResult chain_report(const std::string& objective, Split data, const ChainDescrambling& chain) {
  StepResult result;
  json entries = json::array();
  std::vector<std::string> learned;
  for (const ChainTap& tap : chain.learned) {
    entries.push_back(chain_tap_json(tap));
    learned.push_back(tap.rotated.space.name);
    result.tensors[learned.back() + ".rotation"] = tap.rotated.pair.matrix();
    result.edits.push_back(edit_of(tap.rotated));
  }
  add_chain_lines(objective, chain, result.lines);
  add_convergence(chain.solution, learned, result);
  result.floor = chain.certificate.floor;
  result.json = {{"data", split_name(data)},
                 {"objective", chain_objective(objective, chain)},
                 {"solver", solver_json(chain.solution, false)},
                 {"warnings", chain.warnings},
                 {"certificate", certificate_json(chain.certificate)},
                 {"taps", std::move(entries)}};
  return result;
}

}  // namespace descramble
