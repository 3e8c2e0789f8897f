#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/core/safetensors.h"
#include "descramble/data/data_set.h"
#include "descramble/taps/export.h"
#include "results/table.h"

namespace descramble {

/// The result of a step.
struct StepResult {
  nlohmann::json json = nlohmann::json::object();
  NamedTensors tensors{};             ///< names without the prefix "steps.i."
  std::vector<RotationEdit> edits{};  ///< rotations for the exported model
  double floor = 0;                   ///< the noise floor of their certificate
  std::vector<InputFile> inputs{};    ///< files that it read, besides the model and the data
  /// Rows for `<name>.csv`, to which all steps add; the column "step" is put in front of them.
  std::vector<Table> tables{};
  std::vector<NamedFigure> figures{};  ///< for `steps.<i>.<name>.svg`
  std::vector<std::string> lines{};    ///< for a person, on the terminal
};

}  // namespace descramble
