#pragma once

#include <string>
#include <vector>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// The tap points of a model that any of the selectors means (see select_names), each once and in
/// the model's order; NAME.input stands in front of NAME.
/// @throws Error with the nearest names for a selector that means nothing
std::vector<std::string> select_taps(const Model& model, const std::vector<std::string>& selectors);

}  // namespace descramble
