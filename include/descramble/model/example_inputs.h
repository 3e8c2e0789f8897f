#pragma once

#include <string>
#include <vector>

#include "descramble/model/model.h"

namespace descramble {

/// One input of a model as the command line gives it: [NAME=]SHAPE[:DTYPE], "1,3,224,224",
/// "tokens=1,12:int64".
struct InputSpec {
  std::string name{};  ///< empty: by position
  std::vector<std::int64_t> shape{};
  std::string dtype{};  ///< empty: the model's
};

/// @throws Error
InputSpec parse_input_spec(const std::string& text);

/// Values that fit the arguments of `forward`: tensors by position or name; a tuple, list or dict
/// argument takes the tensors left over (a dict by their names). Floating values are N(0, 1) from a
/// fixed stream, integers and booleans zero.
/// @throws Error when they do not fit, with the arguments expected
std::vector<c10::IValue> example_inputs(const Model& model, const std::vector<InputSpec>& specs);

}  // namespace descramble
