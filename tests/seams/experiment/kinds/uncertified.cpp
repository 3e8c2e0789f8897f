#include <ATen/ops/eye.h>

#include "experiment/step.h"

namespace descramble {

const StepKind& step_kind_uncertified() {
  static const StepKind kind{
      .info = {.name = "uncertified",
               .summary = "Returns a rotation and nothing that certifies it",
               .fields = {{.name = "tap", .type = FieldType::string, .doc = "the tap point"}}},
      .run =
          [](const nlohmann::json& resolved, const Workspace& workspace, Progress&) {
            StepResult result;
            for (const std::string& tap : step_taps(resolved, workspace.model)) {
              RotationEdit edit;
              edit.tap = tap;
              edit.rotation = at::eye(6, at::kDouble);
              result.edits.push_back(edit);
            }
            return result;
          },
      .rotates = step_taps};
  return kind;
}

}  // namespace descramble
