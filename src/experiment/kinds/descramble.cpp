#include <algorithm>

#include "descramble/analysis/descramble_chain.h"
#include "descramble/analysis/descramble_layer.h"
#include "descramble/core/error.h"
#include "descramble/objective/jacobian_l1.h"
#include "descramble/objective/kinds.h"
#include "descramble/solver/kinds.h"
#include "descramble/taps/path.h"
#include "experiment/choices.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/chain_report.h"
#include "results/layer_report.h"

namespace descramble {

namespace {

using nlohmann::json;

bool is_chain(const json& step) {
  return objective_needs(step.at("objective")) == LayerNeeds::jacobians;
}

StepResult run_chain(const json& resolved, const Workspace& workspace, Progress& progress) {
  const json& objective = resolved.at("objective");
  const ChainOptions options{.taps = chain_taps(objective),
                             .learn = names_in_field(objective.at("learn")),
                             .samples = objective.at("samples"),
                             .held_out = objective.at("held_out"),
                             .positions = objective.at("positions"),
                             .axis = axis_in(resolved),
                             .rows = rows_in(resolved),
                             .solver = solver_in(resolved.at("solver")),
                             .data = split_in(resolved)};
  return chain_report(objective.at("kind"), options.data,
                      descramble_chain(workspace, options, progress));
}

StepResult run_descramble(const json& resolved, const Workspace& workspace, Progress& progress) {
  if (is_chain(resolved)) return run_chain(resolved, workspace, progress);
  const json& objective = resolved.at("objective");
  const LayerOptions options{.taps = step_selectors(resolved),
                             .position = parse_position(resolved.at("position")),
                             .axis = axis_in(resolved),
                             .rows = rows_in(resolved),
                             .objective = objective_in(objective),
                             .solver = solver_in(resolved.at("solver")),
                             .data = split_in(resolved)};
  return layer_report(options.objective.name, objective.value("center", true), options.data,
                      descramble_layers(workspace, options, progress));
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
  if (!is_chain(step)) {
    return positioned_taps(model, step_selectors(step), parse_position(step.at("position")));
  }
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
                          position_field(
                              "after: the tap's own value; before: what its call receives; "
                              "both: the two of them, so that a layer's weight becomes P2 W P1'",
                              /*both=*/true),
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
