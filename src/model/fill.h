#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/ivalue.h>

namespace descramble {

/// The value of one argument of a method, from the inputs of some samples.
using Fill = std::function<c10::IValue(const std::vector<at::Tensor>&)>;

Fill tuple_fill(std::vector<Fill> fills);
Fill list_fill(std::vector<Fill> fills, const c10::TypePtr& element);
Fill dictionary_fill(std::vector<std::string> keys, std::vector<Fill> fills,
                     const c10::TypePtr& element);

}  // namespace descramble
