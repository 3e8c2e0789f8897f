#include <cmath>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/experiment/score.h"
#include "experiment/step.h"

namespace descramble {

namespace {

StepResult run_evaluate(const nlohmann::json& resolved, const Workspace& workspace,
                        Progress& progress) {
  const std::string split = resolved.at("data");
  const Source& source = workspace.source(split);
  if (!source.data->has_labels()) {
    throw Error({"cannot evaluate", "/data", "a source with labels", "one without"});
  }
  const at::NoGradGuard no_grad;
  Score score;
  for_each_batch(source, workspace.model, progress, "evaluate", [&](const Batch& batch) {
    score.add(workspace.model.forward(batch.inputs), batch.labels);
  });
  if (!std::isfinite(score.loss())) {
    throw Error({"the loss is not finite", "/data/" + split, "finite samples, labels and outputs",
                 "inf or nan"});
  }
  StepResult result;
  result.json = score_json(score);
  result.json["data"] = split;
  result.lines.push_back(fmt::format("{} {} samples: {}", score.count, split, score_line(score)));
  return result;
}

}  // namespace

const StepKind& step_kind_evaluate() {
  static const StepKind kind{
      .info = {.name = "evaluate",
               .summary = "Accuracy (top-1, top-5) and mean cross-entropy of the model; where the "
                          "labels are floating-point targets, the mean squared error",
               .fields = {data_field("test")}},
      .run = run_evaluate};
  return kind;
}

}  // namespace descramble
