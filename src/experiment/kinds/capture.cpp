#include "descramble/analysis/capture.h"

#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/capture_report.h"

namespace descramble {

namespace {

StepResult run_capture(const nlohmann::json& resolved, const Workspace& workspace,
                       Progress& progress) {
  const CaptureOptions options{
      .taps = step_selectors(resolved), .limit = resolved.at("limit"), .data = split_in(resolved)};
  return capture_report(options.data, capture(workspace, options, progress));
}

}  // namespace

const StepKind& step_kind_capture() {
  static const StepKind kind{
      .info = {.name = "capture",
               .summary =
                   "The values at taps for the first samples, in the model's own dtype, as tensors",
               .fields = {{.name = "taps",
                           .type = FieldType::names,
                           .doc = "tap points: names or globs (* within one component, ** across)"},
                          {.name = "limit",
                           .type = FieldType::integer,
                           .doc = "number of samples",
                           .fallback = 256,
                           .minimum = 1},
                          data_field("train")}},
      .run = run_capture};
  return kind;
}

}  // namespace descramble
