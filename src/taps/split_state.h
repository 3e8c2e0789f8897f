#pragma once

#include <memory>
#include <string>

#include "descramble/model/network.h"
#include "descramble/taps/split.h"

namespace descramble {

struct SplitModel::State {
  Model model;
  std::unique_ptr<SplitProgram> program{};
  std::string tap{};
};

/// Cuts the model's program behind the point `tap` (a name out of list_taps, or NAME.input).
/// @throws Error where it cannot be cut: inside an `if` or `loop`, or between two views of one
///         tensor that the rest of the program writes to
SplitModel split_model(const Model& model, const std::string& tap);

}  // namespace descramble
