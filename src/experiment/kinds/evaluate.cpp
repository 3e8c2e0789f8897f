#include "descramble/analysis/evaluate.h"

#include <fmt/format.h>

#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/score_report.h"

namespace descramble {

namespace {

StepResult run_evaluate(const nlohmann::json& resolved, const Workspace& workspace,
                        Progress& progress) {
  const std::string split = resolved.at("data");
  const Score score = evaluate(workspace, parse_split(split), progress);
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
