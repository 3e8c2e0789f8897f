#pragma once

#include <string>
#include <vector>

#include "descramble/core/error.h"
#include "descramble/taps/tapped_model.h"

namespace descramble::test {

/// Every tap of a model, and `NAME.input` where the tap has an input that can be tapped.
inline std::vector<std::string> names_with_inputs(const Model& model) {
  std::vector<std::string> names;
  for (const TapPoint& point : list_taps(model)) {
    names.push_back(point.name);
    try {
      tap_model(model, {point.name + ".input"});
      names.push_back(point.name + ".input");
    } catch (const Error&) {
    }
  }
  return names;
}

}  // namespace descramble::test
