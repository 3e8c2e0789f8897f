#include "descramble/analysis/tap_moments.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/moments_report.h"

namespace descramble {

namespace {

StepResult run_statistics(const nlohmann::json& resolved, const Workspace& workspace,
                          Progress& progress) {
  const Split data = split_in(resolved);
  return moments_report(
      data, measure_taps(workspace, workspace.source(data), step_taps(resolved, workspace.model),
                         axis_in(resolved), {.selection = rows_in(resolved)}, progress));
}

}  // namespace

const StepKind& step_kind_statistics() {
  static const StepKind kind{
      .info = {.name = "statistics",
               .summary = "Mean and covariance of the values at taps, in one pass over the data",
               .fields = {{.name = "taps",
                           .type = FieldType::names,
                           .doc = "tap points: names or globs (* within one component, ** across)"},
                          axis_field(),
                          rows_field(),
                          data_field("train")}},
      .run = run_statistics};
  return kind;
}

}  // namespace descramble
