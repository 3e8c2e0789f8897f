#include <ATen/core/Tensor.h>

#include "descramble/reading/kinds.h"

namespace descramble {

const ReadingKind& reading_kind_largest_entry() {
  static const ReadingKind kind{
      .info = {.name = "largest_entry", .summary = "the largest absolute entry"},
      .read = [](const MatrixView& matrix, const MatrixView*, const Settings&) {
        Reading reading;
        reading.answers.push_back(
            {.name = "largest_entry", .value = matrix.values.abs().max().item<double>()});
        return reading;
      }};
  return kind;
}

}  // namespace descramble
