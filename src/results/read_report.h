#pragma once

#include <string>
#include <utility>
#include <vector>

#include "descramble/reading/reading.h"
#include "results/step_result.h"

namespace descramble {

/// The answers of one reading: of the matrix itself, and of its controls.
struct ReadingOutcome {
  std::string kind{};
  std::string label{};  ///< the kind and its choices: "singular_vectors, sinusoid, right"
  Reading reading{};
  std::vector<std::pair<std::string, Reading>> controls{};  ///< "raw", "untrained", "rotated"
};

/// `drawn`: the matrices that stand side by side in the picture, the raw one first. `notes`:
/// sentences for a reader.
StepResult read_report(const MatrixView& matrix, const std::vector<MatrixView>& drawn,
                       const std::vector<ReadingOutcome>& outcomes,
                       const std::vector<std::string>& notes);

}  // namespace descramble
