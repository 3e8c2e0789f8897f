#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/basis/rotation_pair.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/objective/jacobian_l1.h"
#include "descramble/taps/space.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/chain.h"
#include "experiment/noise_floor.h"
#include "experiment/solve.h"
#include "experiment/tap_pass.h"

namespace descramble {

namespace {

using nlohmann::json;

/// Where a tap of the chain stands and what is known of its values there.
struct ChainTap {
  TapMoments tap{};
  RotationPair pair = RotationPair::identity(1);
};

double inserted_difference(const Workspace& workspace, const std::vector<ChainTap>& taps) {
  std::vector<std::string> names;
  for (const ChainTap& one : taps) names.push_back(one.tap.tap);
  const TappedModel tapped = tap_model(workspace.check_model(), names);
  std::vector<Watch> watches;
  for (const ChainTap& one : taps) {
    watches.push_back(tapped.replace(one.tap.tap, [&one](const at::Tensor& value) {
      return one.pair.round_trip(value, one.tap.axis);
    }));
  }
  return workspace.check.difference(
      [&tapped](const std::vector<at::Tensor>& inputs) { return tapped.forward(inputs); });
}

TapMoments tap_of(const ChainData& chain, const std::string& name) {
  const auto found = std::find(chain.used.taps.begin(), chain.used.taps.end(), name);
  const auto i = static_cast<std::size_t>(found - chain.used.taps.begin());
  const bool last = i == chain.layers.size();
  const LayerJacobian& layer = *chain.layers[last ? i - 1 : i];
  const TapSpace& space = last ? layer.to_space() : layer.from_space();
  return {.tap = name, .axis = space.axis, .shape = space.shape, .dtype = space.dtype};
}

/// How every start came down: a table of all values, and a curve for each start.
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
  // Starts are compared on some samples, what follows is of all.
  if (followed) add("best start, all samples", "the best on, all samples", solution.trace);
  if (table.rows.empty()) return;
  result.tables.push_back(std::move(table));
  result.figures.push_back({"convergence", std::move(figure)});
}

}  // namespace

StepResult descramble_chain(const json& resolved, const Workspace& workspace, Progress& progress) {
  const std::string split = resolved.at("data");
  const json& config = resolved.at("objective");
  const ChainData chain = gather_chain(workspace, workspace.source(split), resolved, progress);
  LayerData data{.jacobians = chain.used};
  const std::unique_ptr<Objective> made = make_objective(config, data);
  const auto& objective = dynamic_cast<const JacobianL1&>(*made);
  std::unique_ptr<Objective> held;  // before the work begins: it may be refused
  if (chain.held_out) {
    LayerData other{.jacobians = chain.held_out};
    held = with_where("of the held-out samples", [&] { return make_objective(config, other); });
  }
  const std::vector<std::string> learned = objective.taps();
  const Solution solution =
      solve(objective, resolved.at("solver"), fmt::format("{}", fmt::join(learned, ", ")),
            workspace.seed, progress);
  check_interrupt();  // nothing is written anyway
  const at::Tensor identity = at::eye(objective.dimension(), at::kDouble);

  std::vector<ChainTap> taps;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < learned.size(); ++i) {
    const std::int64_t size = objective.blocks()[i];
    const at::Tensor rotation =
        solution.point.narrow(0, begin, size).narrow(1, begin, size).contiguous();
    begin += size;
    taps.push_back({tap_of(chain, learned[i]), RotationPair(rotation)});
  }
  const double inserted = inserted_difference(workspace, taps);

  StepResult result;
  json entries = json::array();
  double orthogonality = 0;
  double in_model = 0;
  for (const ChainTap& one : taps) {
    json entry = tap_json(one.tap);
    entry["certificate"] = {{"orthogonality", one.pair.orthogonality()},
                            {"orthogonality_in_model", one.pair.orthogonality(one.tap.dtype)},
                            {"inserted", inserted_difference(workspace, {one})}};
    orthogonality = std::max(orthogonality, one.pair.orthogonality());
    in_model = std::max(in_model, one.pair.orthogonality(one.tap.dtype));
    entries.push_back(std::move(entry));
    result.tensors[one.tap.tap + ".rotation"] = one.pair.matrix();
    result.edits.push_back({one.tap.tap, one.tap.axis,
                            static_cast<std::int64_t>(one.tap.shape.size()) + 1, one.pair.matrix(),
                            one.tap.dtype});
  }
  const double before = objective.value(identity);
  const double bound = *objective.lower_bound(solution.point);
  json found = {
      {"kind", config.at("kind")},
      {"sense", "minimise"},
      {"samples", objective.samples()},
      {"before", before},
      {"after", solution.value},
      {"optimum", nullptr},
      {"bound", bound},
      {"sparsity",
       {{"before", objective.sparsity(before)}, {"after", objective.sparsity(solution.value)}}},
      {"layers", chain_json(chain)}};
  std::string held_line;
  if (held) {
    const double held_before = held->value(identity);
    const double held_after = held->value(solution.point);
    found["held_out"] = {{"samples", chain.held_out->layers[0].samples()},
                         {"before", held_before},
                         {"after", held_after}};
    held_line = fmt::format("  {:<12}{:.6g} -> {:.6g} ({:.3g} of before, {} samples)", "held out",
                            held_before, held_after, held_after / held_before,
                            chain.held_out->layers[0].samples());
  }
  json warnings = json::array();
  const double floor = noise_floor(workspace, learned, inserted);
  if (const std::string warning = floor_warning(workspace, learned, floor); !warning.empty())
    warnings.push_back(warning);
  for (const std::string& warning : objective.warnings()) warnings.push_back(warning);
  for (const JacobianStack& stack : chain.used.layers) {
    if (const std::string warning = uncounted_warning(stack); !warning.empty())
      warnings.push_back(warning);
  }

  std::vector<std::string> sizes;
  for (const ChainTap& one : taps) {
    sizes.push_back(
        fmt::format("{} ({}, d = {})", one.tap.tap, axis_name(one.tap.axis), one.pair.dimension()));
  }
  result.lines.push_back(
      fmt::format("{} in {}", fmt::join(sizes, ", "), fmt::join(chain.used.taps, " -> ")));
  for (const json& layer : found["layers"]) {
    result.lines.push_back(
        fmt::format("  {:<12}{} to {}: {}{}", "Jacobians", layer["from"].get<std::string>(),
                    layer["to"].get<std::string>(), layer["route"].get<std::string>(),
                    layer["kept"].get<bool>() ? "" : ", computed again each time (memory_mb)"));
  }
  result.lines.push_back(fmt::format(
      "  {:<12}{:.6g} -> {:.6g} ({:.3g} of before), no rotation is below {:.6g}, {} samples, {}",
      config.at("kind").get<std::string>(), before, solution.value, solution.value / before, bound,
      objective.samples(), solution.reason));
  if (!held_line.empty()) result.lines.push_back(held_line);
  result.lines.push_back(fmt::format("  {:<12}{:.3f} -> {:.3f} (0.80: Gaussian entries, 1: equal)",
                                     "sparsity", found["sparsity"]["before"].get<double>(),
                                     found["sparsity"]["after"].get<double>()));
  if (!solution.outcomes.empty())
    result.lines.push_back(fmt::format("  {:<12}{}", "solver", solver_line(objective, solution)));
  result.lines.push_back(
      fmt::format("  {:<12}|PtP - I| {:.1e}, function changed by {:.1e} "
                  "(all inserted)",
                  "certificate", orthogonality, inserted));
  for (const json& warning : warnings)
    result.lines.push_back(fmt::format("  {:<12}{}", "warning", warning.get<std::string>()));
  add_convergence(solution, learned, result);
  result.json = {{"data", split},
                 {"objective", std::move(found)},
                 {"solver", solver_json(objective, solution)},
                 {"warnings", std::move(warnings)},
                 {"certificate",
                  {{"orthogonality", orthogonality},
                   {"orthogonality_in_model", in_model},
                   {"inserted", inserted},
                   {"floor", floor}}},
                 {"taps", std::move(entries)}};
  return result;
}

}  // namespace descramble
