#include "experiment/matrices/matrix_kind.h"

namespace descramble {

const MatrixKind& matrix_kind_rotation() {
  static const MatrixKind kind{
      .info = {.name = "rotation",
               .summary = "the rotation that an earlier step found",
               .fields = {{.name = "step",
                           .type = FieldType::integer,
                           .doc = "the number of the step",
                           .minimum = 0},
                          {.name = "tap", .type = FieldType::string, .doc = "its tap"}}},
      .make = [](const nlohmann::json& resolved, const MatrixContext& context) -> MatrixView {
        const std::string tap = resolved.at("tap");
        return {.title = "P of " + tap,
                .values = rotation_of(context.workspace, resolved.at("step"), tap, context.place)};
      }};
  return kind;
}

}  // namespace descramble
