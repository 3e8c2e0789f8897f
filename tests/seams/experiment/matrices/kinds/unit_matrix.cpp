#include <ATen/ops/eye.h>

#include "experiment/matrices/matrix_kind.h"

namespace descramble {

const MatrixKind& matrix_kind_unit_matrix() {
  static const MatrixKind kind{
      .info = {.name = "unit_matrix", .summary = "the unit matrix of three rows"},
      .make = [](const nlohmann::json&, const MatrixContext&) -> MatrixView {
        return {.title = "I", .values = at::eye(3, at::kDouble)};
      },
      .of_network = false};
  return kind;
}

}  // namespace descramble
