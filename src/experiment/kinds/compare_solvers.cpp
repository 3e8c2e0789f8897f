#include "descramble/analysis/compare_solvers.h"

#include "descramble/objective/kinds.h"
#include "descramble/solver/kinds.h"
#include "experiment/choices.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/solver_comparison_report.h"

namespace descramble {

namespace {

using nlohmann::json;

StepResult run_compare_solvers(const json& resolved, const Workspace& workspace,
                               Progress& progress) {
  SolverComparisonOptions options{.tap = resolved.at("tap"),
                                  .position = parse_position(resolved.at("position")),
                                  .axis = axis_in(resolved),
                                  .rows = rows_in(resolved),
                                  .objective = objective_in(resolved.at("objective")),
                                  .data = split_in(resolved)};
  for (const json& one : resolved.at("solvers")) options.solvers.push_back(solver_in(one));
  return solver_comparison_report(options.objective.name, options.data,
                                  compare_solvers(workspace, options, progress));
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
                          position_field(
                              "after: the tap's own value; before: what its call receives"),
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
