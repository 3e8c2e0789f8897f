#pragma once

#include <string>
#include <vector>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// One argument of a model as the command line gives it: [NAME=]SHAPE[:DTYPE[=VALUES]] for a tensor
/// ("1,3,224,224", "tokens=1,12:int64", "lengths=3:int64=5,4,2"), [NAME=]VALUE for a number,
/// boolean or string ("sr=16000"). Which of them it is depends on the argument that takes it.
struct InputSpec {
  std::string name{};                 ///< empty: by position
  std::vector<std::int64_t> shape{};  ///< the tensor's sizes, the batch included
  std::string dtype{};                ///< empty: the model's
  std::vector<double> values{};       ///< the tensor's values, row by row; empty: made up
  std::string text{};                 ///< the text behind the name
  std::string defect{};               ///< the reason why it describes no tensor; empty: it does
};

/// Reads what stands on the command line. What describes no tensor is kept as text, with the
/// reason in `defect`: it may be the value of a number or string. @throws Error for an empty name
InputSpec parse_input_spec(const std::string& text);

/// Values that fit the arguments of `forward`: tensors by position or name; a tuple, list or dict
/// argument takes the tensors left over (a dict by their names). Floating values are N(0, 1) from a
/// fixed stream, integers and booleans zero, unless their values are given.
/// @throws Error when they do not fit, with the arguments expected
std::vector<c10::IValue> example_inputs(const Model& model, const std::vector<InputSpec>& specs);

}  // namespace descramble
