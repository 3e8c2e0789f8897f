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
  for_each_batch(source, workspace.model.device(), progress, "evaluate", [&](const Batch& batch) {
    score.add(workspace.model.forward(batch.inputs), batch.labels);
  });
  StepResult result;
  result.json = {{"data", split},
                 {"top1", score.top1()},
                 {"top5", score.top5()},
                 {"loss", score.loss()},
                 {"count", score.count}};
  result.lines.push_back(fmt::format(
      "{} {} samples: top-1 {:.2f} % ({}), top-5 {:.2f} % ({}), loss {:.4f}", score.count, split,
      100 * score.top1(), score.top1_hits, 100 * score.top5(), score.top5_hits, score.loss()));
  return result;
}

}  // namespace

const StepKind& step_kind_evaluate() {
  static const StepKind kind{
      .info = {.name = "evaluate",
               .summary = "Accuracy (top-1, top-5) and mean cross-entropy of the model",
               .fields = {data_field("test")}},
      .run = run_evaluate};
  return kind;
}

}  // namespace descramble
