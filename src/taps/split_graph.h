#pragma once

#include <string>

#include "descramble/taps/split.h"

namespace descramble {

/// Cuts the model's program behind the point `tap` (a name out of list_taps, or NAME.input).
/// @throws Error where it cannot be cut: inside an `if` or `loop`, or between two views of one
/// tensor
///         that the rest of the program writes to
SplitModel split_model(const Model& model, const std::string& tap);

}  // namespace descramble
